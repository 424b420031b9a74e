"""What runs next, as a pure function of study, decisions and table; its cost and its progress.

Public: `next_trials.next_trials`, `next_trials.nominal`, `estimate` and `progress.progress`.
"""
