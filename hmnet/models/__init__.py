"""Paths that share layers; models built, saved, counted and exported."""
