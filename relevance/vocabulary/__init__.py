"""Relevance as the likeness of two tasks' words: no training needed."""
