"""The commands of `mutransfer`, one file each, and what they print.

Public: a function for each command, which `cli` registers.
"""
