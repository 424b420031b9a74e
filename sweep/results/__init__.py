"""From a run directory to a verdict, a report and `best.yaml`.

Public: `analyze.analyze` and `export.export`.
"""
