"""Running the trials of a study: the driver's loop, the worker, Ray Tune, the gate before it.

Public: `driver.State`, `driver.run_inline`, `ray_tune.run` and `gate`; only `ray_*.py` import Ray.
"""
