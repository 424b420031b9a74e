"""Execution: the driver, one trial in a worker, Ray Tune, a user's own trainer, the gate.

Public: `driver.run_inline` and `ray_tune.run`. Ray is imported in the files `ray_*.py` alone.
"""
