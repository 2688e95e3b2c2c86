"""Typed tables: layouts that follow a content model, and the rows of published entities. Pure: no I/O, no clock."""
