"""Models, μP and the training of one trial; torch only, no Ray, no Optuna, no YAML, no table.

Start with `proxies.mup` (the rule table, for any model) or `proxies.train` (one trial).
"""
