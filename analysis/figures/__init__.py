"""The figures: one file each, with its data, its drawing and its table.

Public: `figure_set.all_figures`.
"""
