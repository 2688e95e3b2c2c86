"""A read model: the latest state of each entity in SQLite."""
