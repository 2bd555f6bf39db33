"""The relevance matrix: stored, published, judged and compared."""
