"""From a scenario to the words that configure its hosts: scripts for sh, nothing else."""
