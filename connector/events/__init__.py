"""Turns changes into the records of one transaction. Pure: never does I/O."""
