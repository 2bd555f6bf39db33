"""A batch as one row without padding, and attention on it."""
