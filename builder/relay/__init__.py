"""The relay: containers reach a team's compiler cache through one socket, and nothing else."""
