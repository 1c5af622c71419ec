"""What a packet costs the director, in instructions that are counted and not sampled."""
