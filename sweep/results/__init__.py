"""From a run directory to a verdict, a report and `best.yaml`.

Public: `analyze.analyze`, `analyze.report_inputs` and `analyze.write`; `export.export`.
"""
