"""The process behind `run`: many streams, one port."""
