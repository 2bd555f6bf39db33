"""Options and endings that both command lines share."""
