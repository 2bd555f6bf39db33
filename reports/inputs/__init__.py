"""What an output folder holds, read once for a report."""
