"""The report of a study as one HTML page, and the same answer as text for the terminal.

Public: `page.write` and `page.html`; `contents.ReportInputs`; `answer`, `tables` and `convergence`.
"""
