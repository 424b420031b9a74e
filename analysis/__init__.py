"""Pure functions of the results table: optimum, transfer, verdict, figures, report, export."""

if __name__ != "mutransfer.analysis":  # at the repository's root: one module under two names
    raise ImportError("import mutransfer.analysis; this folder is a part of it")
