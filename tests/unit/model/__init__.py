"""Unit tests of `connector/model/`: the values that travel."""
