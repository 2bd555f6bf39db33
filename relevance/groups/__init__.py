"""From a relevance matrix to groups of tasks, with how far they can be trusted."""
