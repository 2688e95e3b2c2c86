"""A data lake: every event, once, in files of JSON lines."""
