"""The report of a study as one HTML page, and the same answer as text.

Public: `page.write` and `page.html`.
"""
