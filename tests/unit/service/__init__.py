"""Unit tests of `connector/service/`: the process."""
