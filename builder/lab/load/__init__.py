"""The throughput of each method, as ratios to NAT."""
