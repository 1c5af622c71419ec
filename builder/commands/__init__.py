"""What the Invoke tasks do: one function per task, without Invoke."""
