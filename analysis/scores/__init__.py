"""Predictions scored under resampled examples.

Stored dev predictions as arrays, every metric under any weights of the examples, the noise of
seeds, majority baselines and collapsed runs.
"""
