"""What each command does: it reads, computes, writes, and yields lines that describe it.

A command is a generator of lines for the terminal, so that what is known is said before the next
long step. A line that is an `Aside` belongs to standard error.
"""
