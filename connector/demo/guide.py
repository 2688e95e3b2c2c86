"""What to try after the demo: while everything still runs, or once it has ended."""

import shutil
import sys
from pathlib import Path

from connector.demo.pipeline import Pipeline
from connector.demo.view import View


def beside(view: View, servers: Pipeline) -> None:
    """Show what can be done in another terminal while everything runs."""
    name = servers.connections[0]
    view.section("Yours until Ctrl-C")
    view.fact("Status page", f"http://{servers.status}")
    view.fact("Topics", f"{servers.topics[name]} and its siblings")
    view.say("In another terminal:")
    contentwire = f"{_program()} --config {servers.config}"
    lines = [
        f". {servers.secrets}",
        f"{contentwire} tail {name} --from-beginning",
        f"{contentwire} status",
        f"curl -X POST {servers.simulator.url()}/_admin/publish",
    ]
    view.commands(dict.fromkeys(lines, ""))


def afterwards(view: View) -> None:
    """Show what can be done now that nothing runs."""
    view.section("What to try next")
    contentwire = _program()
    view.commands(
        {
            f"{contentwire} demo --keep": "leave everything running, and look around",
            f"{contentwire} simulate": "the three CMSs alone",
            f"{contentwire} init": "a configuration for your own CMS",
        }
    )


def _program() -> str:
    """Return how to call this installation's command from here."""
    installed = Path(sys.executable).with_name("contentwire")
    found = shutil.which("contentwire")
    if found and Path(found) == installed:
        return "contentwire"
    here = Path.cwd()
    return str(installed.relative_to(here) if installed.is_relative_to(here) else installed)
