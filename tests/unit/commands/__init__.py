"""Unit tests of `connector/commands/`: operator commands."""
