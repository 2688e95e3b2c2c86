"""The tables of a connection as commands know them: those that have topics, and those that its state records."""

from collections.abc import Collection, Mapping

from connector.errors import ConfigError, ConnectorError
from connector.kafka.cluster import RecordedModel
from connector.tables import schema
from connector.wiring import ConfiguredStream


def check_tables(stream: ConfiguredStream, tables: Collection[str]) -> None:
    """Check that a connection has these tables, and any at all; they are called as in their topics.

    Raises `ConfigError` if it is not to have tables, `ConnectorError` that names those it has; both before any record
    is read. Also raises what `Cluster.topics` raises.
    """
    if not stream.connection.tables:
        raise ConfigError(
            f"{stream.name}: publishes no tables", hint="set tables = true for this connection, or leave out the option"
        )
    known = stream.layout.tables_among(stream.cluster.topics())
    if not known:
        raise ConnectorError(
            f"{stream.name}: there are no tables yet", hint="the first `contentwire run` with tables publishes them"
        )
    if unknown := [table for table in tables if table not in known]:
        raise ConnectorError(f"{stream.name}: has no table {', '.join(unknown)}", hint=f"it has {', '.join(known)}")


def recorded(stream: ConfiguredStream) -> Mapping[str, str]:
    """Return the schema of each table that a stream would write by the content model that its state records.

    Nothing without tables, or before a model is recorded. Raises `ModelRefused` if no table can follow it, and what
    `RecordedModel.read` raises.
    """
    tables = stream.connection.tables
    if not tables:
        return {}
    catalog = stream.catalog_with(tables.options())
    state = RecordedModel(stream.client, stream.layout.state_topic, stream.name, clock=stream.clock).read()
    catalog.restore(state)
    layouts = catalog.plan(catalog.model).layouts if state else {}
    return {table: schema.text(layout) for table, layout in sorted(layouts.items())}
