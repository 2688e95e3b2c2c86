"""A data lake: typed tables in Apache Iceberg, the history and the current state of each."""
