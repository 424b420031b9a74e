"""What runs next, as a pure function of spec, decisions and table.

Public: `next_trials.next_trials`.
"""
