"""PASS, FAIL or INCONCLUSIVE: what is asked, the evidence, the conditions, their causes.

Public: `judge.judge` and the records that it takes and returns.
"""
