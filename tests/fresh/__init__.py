"""A machine that has nothing yet: a Debian root in namespaces, for the README's commands.

Four programs, each started by the one before it:

- ``machine`` (the starter, any process) makes a folder and says what is to be done;
- ``keeper`` outlives the starter: when that ends in any way, it ends the machine and
  removes its folder and control groups;
- ``enter`` joins the control groups and becomes unshare(1);
- ``inside`` is process 1 of the namespaces: it makes the root, moves into it, runs the steps.
"""
