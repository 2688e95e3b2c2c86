"""The command line: parses, builds, prints. What commands do stands in the modules they call."""

from connector.cli.main import cli, failed, main

__all__ = ["cli", "failed", "main"]
