"""Unit tests of `connector/stream/`: one stream."""
