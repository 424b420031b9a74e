"""How the optimum and the best loss change along the axis, and the regret of a transferred value.

Public: `drift.drift`, `regret.regret`, `regret.sensitivity`, `scaling_law.scaling_law` and
`speed_up.compare_convergence`.
"""
