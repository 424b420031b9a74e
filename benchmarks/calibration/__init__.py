"""Planted truth for the analysis: do its intervals and verdicts hold as often as they say?"""
