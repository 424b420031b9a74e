"""The commands of `mutransfer`, one module each, and what they share for printing.

Public: one function per command, which `cli` registers.
"""
