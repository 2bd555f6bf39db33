"""Ways of sharing a model, compared on one budget."""
