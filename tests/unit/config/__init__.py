"""Unit tests of `connector/config/`: the configuration."""
