"""Operator commands, one file each, named as on the command line. They return what `cli` shows."""
