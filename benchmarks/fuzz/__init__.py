"""Fuzzers: generated specs, tables and damaged run directories, none of which may end in a bug."""
