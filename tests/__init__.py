"""The tests of contentwire."""
