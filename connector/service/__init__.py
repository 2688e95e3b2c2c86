"""The process that `run` is: many streams, one port."""
