"""Unit tests of `connector/events/`: what becomes of a page."""
