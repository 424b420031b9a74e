"""Planted truth for the analysis: do intervals and verdicts hold as often as they claim?"""
