"""Tests of the typed tables."""
