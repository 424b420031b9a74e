"""Planted and dense real curves for the analysis: do intervals and verdicts hold as they claim?"""
