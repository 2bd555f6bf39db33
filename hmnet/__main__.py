"""`python -m hmnet` is the command `hmnet`."""

from hmnet.cli import main

main()
