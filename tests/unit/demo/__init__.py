"""Unit tests of `connector/demo/`: the show."""
