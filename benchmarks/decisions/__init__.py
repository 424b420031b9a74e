"""Decisions from few runs at the target, measured on planted curves."""
