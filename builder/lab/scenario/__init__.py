"""What an experiment consists of: topology, services, traffic and the rows that must hold."""
