"""How much goes through each method, as ratios to NAT."""
