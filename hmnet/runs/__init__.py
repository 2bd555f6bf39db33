"""What decides a run, what it leaves behind, and where (no torch)."""
