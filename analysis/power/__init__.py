"""The chance of a verdict before anything has run, by simulated studies of a design.

Public: `design.Design`, `assumption.Assumption` and `power.power` with the `power.Power` that it
returns.
"""
