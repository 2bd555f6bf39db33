"""Which differences can be told from noise.

The multi-bootstrap of a sweep's gains, paired differences of systems, power, what further seeds
are worth, and the split of gains into source, target and rest.
"""
