"""Search: a full-text index that follows the typed tables, by language."""
