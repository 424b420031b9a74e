"""Pure functions of the results table: optimum, transfer, verdict, figures, report, export."""
