"""A connection that publishes tables to a real broker and registry, followed by the command as its users run it."""

import re
from collections.abc import Callable
from pathlib import Path

from connector.devservers.broker import Broker
from connector.simulator import Live, Simulator
from tests.command import Ended, Workplace, following
from tests.consumer import consume
from tests.published import letters, seen
from tests.scripted import ONCE
from tests.tables import Reader, differences


class Operated:
    """One connection, called as its vendor is, and what reads it. `connection` is its line of configuration.

    `beside`: vendors that the same process follows, without that line.
    """

    def __init__(
        self,
        folder: Path,
        cms: Simulator,
        kafka: Broker,
        registry: str,
        prefix: str,
        *,
        vendor: str = "contentful",
        connection: str = "tables = true",
        beside: tuple[str, ...] = (),
    ) -> None:
        self.cms = cms
        self.broker = kafka
        self.vendor = vendor
        self.place: Workplace = following(
            folder,
            cms,
            (vendor, *beside),
            bootstrap=kafka.bootstrap,
            prefix=prefix,
            kafka=f'registry = {{ url = "{registry}" }}\npartitions = 2\n',
            connection=f"{connection}  # tables\n",
        )
        for other in beside:
            self.place.edit(rf"(?s)(\[connections\.{other}\].*?\n){re.escape(connection)}  # tables\n", r"\1")
        self.reader = Reader(kafka.client, registry, f"{prefix}.{vendor}.table.")

    def configure(self, connection: str) -> None:
        """Configure the connection with other lines."""
        self.place.edit(r"(?m)^.*  # tables$", f"{connection}  # tables")

    def run(self) -> None:
        """Follow until the stream is current, as one process; the next run is a restart."""
        ended = self.try_to_run()
        assert ended.code == 0, ended.err

    def try_to_run(self) -> Ended:
        """Follow until the stream is current, or has stopped."""
        return self.place.run(*ONCE)

    def published(self, *kinds: str) -> set[str]:
        """Return the ids of all events and tombstones so far, of these entity types or of all."""
        found = seen(consume(self.broker.client, f"{self.place.prefix}.{self.vendor}.changes"))
        return {each.headers["ce_id"] for each in found if not kinds or each.key.entity_type in kinds}

    def letters(self) -> list[dict[str, object]]:
        """Return all dead letters."""
        return letters(consume(self.broker.client, f"{self.place.prefix}.{self.vendor}.dead-letters"))

    def differences(self, chosen: Callable[[Live], bool] = lambda _: True) -> list[str]:
        """Return in what the tables differ from what the CMS delivers of the entries that are `chosen`."""
        return differences(self.cms, self.vendor, self.reader.rows(), chosen=chosen)
