"""From files or the hub to tokenised, memory-mapped splits.

Every source ends as an arrow table whose columns are checked; its rows are sampled, tokenised and
kept in a folder that is found again by what decides its content.
"""
