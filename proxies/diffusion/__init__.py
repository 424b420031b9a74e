"""Diffusion objectives, their variational bound, and samplers.

Public: `draw`, `objective` and `validation_draws`.
"""

from mutransfer.proxies.diffusion.objective import draw, objective, validation_draws

__all__ = ["draw", "objective", "validation_draws"]
