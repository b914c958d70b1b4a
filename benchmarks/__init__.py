"""Timing, one claim a module; run from the root of the clone: ``python -m benchmarks.step``. Records: ``results/``."""
