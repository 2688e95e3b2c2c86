"""Commands that set up, examine and run: init, check, run, and the simulated CMSs."""

import contextlib
import importlib
import json
import os
import sys
from typing import Any

import click
import msgspec

from connector.cli import terminal
from connector.cli.context import complain, json_option, say, session_of
from connector.cli.session import Session
from connector.clock import SYSTEM
from connector.commands import check as checks
from connector.commands import simulate as simulation
from connector.config.load import write_sample
from connector.errors import ConfigError, ConnectorError
from connector.service.process import Service


@click.command()
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@session_of
def init(session: Session, *, force: bool) -> None:
    """Write a commented sample configuration."""
    write_sample(session.path, overwrite=force)
    click.echo(f"{session.path} written: enter your space and broker in it, then run `contentwire check`")


@click.command()
@json_option
@session_of
def check(session: Session, *, as_json: bool) -> int:
    """Examine configuration, credentials, broker, topics and registry; change nothing."""
    try:
        findings = list(checks.examine(session.config()))
    except ConfigError as error:
        findings = checks.refused(error)
    if as_json:
        say(session, json.dumps([msgspec.to_builtins(finding) for finding in findings], indent=2))
    else:
        rows = [(each.verdict, each.subject, each.message, each.hint) for each in findings]
        say(session, terminal.table(("verdict", "what", "found", "what to do"), rows))
    return checks.verdict(findings)


@click.command()
@click.option("--until-caught-up", is_flag=True, help="Make one pass over every stream, then exit.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds that something may stay unreachable before that pass ends.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    help="Default: text on a terminal, else JSON.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
@session_of
def run(session: Session, *, until_caught_up: bool, timeout: float, log_format: str, log_level: str | None) -> int:
    """Follow every configured stream that this process owns, until a signal."""
    at_terminal = any(os.isatty(number) for number in range(3))
    service = Service(session, SYSTEM, once=until_caught_up, give_up_after=timeout, terminal=at_terminal)
    live = log_format == "auto" and sys.stderr.isatty()
    with terminal.progress(service.status) if live else contextlib.nullcontext():
        session.log(
            json={"auto": None, "text": False, "json": True}[log_format],
            level=log_level or ("warning" if live else "info"),
        )
        code = service.run()
    for stream in service.unfinished():
        complain(session, f"{stream.connection}: {stream.error}", stream.hint)
    return code


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8484, show_default=True, help="0 means a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same content.")
@click.option("--entries", type=click.IntRange(min=1), default=300, show_default=True, help="Entries at the start.")
def simulate(host: str, port: int, seed: int, entries: int) -> None:
    """Serve simulated CMSs on loopback, and print the configuration to follow them."""
    simulation.serve(
        host, port, seed=seed, entries=entries, started=lambda each: click.echo(simulation.instructions(each))
    )


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option("--entries", type=click.IntRange(min=100), help="Entries at the start.")
def demo(**options: Any) -> int:
    """Watch three CMSs flow into a real Kafka, through a crash, and see the proof."""
    try:
        live = importlib.import_module("connector.demo.live")
    except ModuleNotFoundError as error:
        raise ConnectorError(f"the demo needs {error.name}", hint="pip install 'contentwire[demo]'") from error
    return int(live.main(**{name: value for name, value in options.items() if value}))


COMMANDS = (init, check, run, simulate, demo)
