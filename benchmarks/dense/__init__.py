"""One dense sweep of lr for each model family, run once and kept: real curves with real noise."""
