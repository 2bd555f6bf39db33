"""Speed and memory next to what one would use otherwise, measured side by side.

    make bench                # every part
    make bench ONLY=vocab     # one part

Each part runs its two sides in turns, so that a noisy machine is unkind to both, and reports
medians. The other side is the strongest stock setting that we know of, on the same rows. Real rows
are read from `RELEVANCE_DATA`, else from `../shared/data`; without them the planted suite serves,
which the results say.
"""
