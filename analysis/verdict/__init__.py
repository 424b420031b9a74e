"""PASS, FAIL or INCONCLUSIVE: the question, the fitted slices, the conditions and their causes.

Public: `judge.judge`, `external.judge_table`, `verdict_file.read_verdict` and
`evidence.gather`, with the records that they take and return; `coordcheck.judge` for the gate.
"""
