"""`python -m relevance` is the command `relevance`."""

from relevance.cli import main

main()
