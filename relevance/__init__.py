"""How much tasks help or hurt each other: measures, their matrix, and groups of tasks.

Every measure gives a `RelevanceMatrix` (source x target); clustering gives `Groups`:

    from relevance.groups.clustering import cluster
    from relevance.matrices.reference import load_reference

    groups = cluster(load_reference("paper:table3"), k=3)
"""
