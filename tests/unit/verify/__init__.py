"""Unit tests of `connector/verify/`: the proof against the CMS."""
