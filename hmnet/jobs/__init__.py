"""Many runs: cached, scheduled, watched and estimated.

A study is prepared once; its jobs run on this machine's processes or on a Dask cluster, and those
that are done are found again.
"""
