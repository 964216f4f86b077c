"""The central claim on a CPU: a process reward that is only added is hacked, behind the gate it is not."""
