"""Unit tests of `connector/commands/`: operators' commands."""
