"""Benchmarks: fixed work, counted in CPU time, beside a plain server in the same run."""
