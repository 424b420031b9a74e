"""Models, μP and the training of one trial; torch only: no Ray, no Optuna, no YAML, no table.

Start with `proxies.mup` (the rule table, for any model) or `proxies.training` (one trial).
"""

if __name__ != "mutransfer.proxies":  # imported as bare `proxies`: a second copy of it
    raise ImportError("import mutransfer.proxies; this folder is a part of it")
