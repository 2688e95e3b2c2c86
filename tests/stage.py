"""What the tests of the example consumers share: a CMS, a connection with tables, a shell that runs documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.devservers.broker import Broker
from connector.simulator import Field, Simulator
from tests.documents import Shell
from tests.operated import Operated
from tests.tables import Rows, differences

VENDOR = "contentful"


class Stage:
    """A connection that publishes tables of a simulated CMS, and the shell that its consumers are run from."""

    def __init__(
        self,
        folder: Path,
        cms: Simulator,
        broker: Broker,
        registry: str,
        prefix: str,
        *,
        more: Mapping[str, str] | None = None,
        settings: str = "",
    ) -> None:
        self.cms = cms
        self.folder = folder
        self.broker = broker
        self.variables = {"BOOTSTRAP": broker.bootstrap, "REGISTRY": registry, "PREFIX": prefix, **(more or {})}
        self.shell = Shell(folder, self.variables)
        lines = f"{settings}\ntables = true"
        self._stream = Operated(folder, cms, broker, registry, prefix, vendor=VENDOR, connection=lines)

    def publish(self) -> None:
        """Let contentwire follow the CMS until it is current."""
        self._stream.run()

    def tables(self) -> Rows:
        """Return what the topics of the tables hold, once it is seen to be what the CMS delivers."""
        found = self._stream.reader.rows()
        assert differences(self.cms, VENDOR, found) == []
        return found

    def edit(self) -> None:
        """Edit the content model and the content: more and other columns, another table, deletes, a locale less."""
        cms = self.cms
        cms.add_field("author", "nickname", "symbol", localized=True)
        cms.retype_field("author", "bornOn", "symbol")
        cms.remove_field("product", "warehouse")
        cms.add_content_type("note", [Field("title", "symbol", localized=True), Field("weight", "number")])
        for kind in ("author", "blogPost", "product"):
            for each in cms.ids(content_type=kind)[:3]:
                cms.edit(each)
        cms.publish("note")
        cms.publish("author", locales=["en-US", "de-DE"])
        cms.delete(cms.ids(content_type="blogPost")[0])
        cms.unpublish(cms.ids(content_type="product")[0])


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's columns that hold something: older rows lack newer columns."""
    return {name: value for name, value in row.items() if value is not None}
