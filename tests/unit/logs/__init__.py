"""Unit tests of `connector/logs/`: log lines."""
