"""Groupings of arrays, their number and their stability.

k-means, spectral and exact partitions; how far two partitions agree, how many groups stand out
from chance, and how often resampling gives the same ones.
"""
