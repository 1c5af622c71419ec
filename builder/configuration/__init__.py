"""The user's configuration: what no project has, because it is about a machine and its team."""
