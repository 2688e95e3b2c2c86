"""The command line: parses, builds, prints. The modules it calls do the work."""

from connector.cli.main import cli, failed, main

__all__ = ["cli", "failed", "main"]
