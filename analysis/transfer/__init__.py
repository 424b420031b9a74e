"""How the optimum moves with width, and what a transferred value costs at the target.

Public: `drift`, `regret`, `scaling_law` and `speed_up`, a function of that name or like it in each.
"""
