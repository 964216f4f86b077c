"""Programs that make datasets: natural preference pairs (LCB-RB) and rewritten ones (CRPL)."""
