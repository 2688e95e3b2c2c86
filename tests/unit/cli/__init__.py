"""Unit tests of `connector/cli/`: the command line."""
