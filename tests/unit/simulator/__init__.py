"""Tests of the simulator against what the vendors document."""
