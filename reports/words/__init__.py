"""Sentences: what was found, what to beware of, and what to do next."""
