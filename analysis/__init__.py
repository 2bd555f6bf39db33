"""How sure a relevance matrix is, what it is made of, and what sharing does to attention.

`bootstrap_gains` resamples dev examples and seeds together for an interval of each cell:

    from analysis.gains.bootstrap import bootstrap_gains

Other modules flag failed runs, split the matrix into effects, plan and refine sweeps, cluster each
draw, compare matrices and systems, and measure attention similarity.
"""
