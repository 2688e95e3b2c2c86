"""One TOML file -> frozen, validated objects, or all its problems. Nothing below reads files or the environment."""

import importlib.resources
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from connector import vendors
from connector.cms import http, outbound
from connector.cms.outbound import Outbound
from connector.cms.vendor import Settings, Vendor
from connector.config import librdkafka, topic_template
from connector.config.reading import Reading, Table, join, kind, parse
from connector.config.settings import Config, Connection, KafkaConfig, ServerConfig, as_text
from connector.errors import ConfigError
from connector.model.change import EntityType
from connector.tables import columns

_ENVIRONMENT = "environment"
_SCALAR = str | bool | int | float


def load(
    path: Path, environ: Mapping[str, str], *, cms: Collection[str] | None = None, registry: bool = True
) -> Config:
    """Return the configuration in `path`, its secrets fetched from `environ` and files.

    Relative paths in it are relative to its folder. `cms` names the connections whose CMS will be contacted, None means
    all; `registry` says whether the registry will be. Other secrets may be missing: only using one is an error. Raises
    `ConfigError` whose `problems` lists every finding.
    """
    found = parse(path)
    tables = found.get("connections")
    silent = () if cms is None or not isinstance(tables, dict) else tables.keys() - set(cms)
    unused = (*(join("connections", name) for name in silent), *(() if registry else ("kafka.registry",)))
    reading = Reading(path.parent, environ, unused)
    document = reading.known(found, Config.model_fields, "")
    outside = _outside(reading, environ)
    kafka = _kafka(reading, document.get("kafka", {}), outside)
    connections = _connections(reading, document.get("connections", {}), outside)
    server = reading.model(ServerConfig, document["server"], "server") if "server" in document else None
    if kafka:
        _need_registry(reading, kafka, connections)
        for problem in topic_template.collisions(kafka.topic, kafka.prefix, tuple(connections)):
            reading.problem("kafka.topic", problem)
    if kafka is None or reading.problems:
        count = len(reading.problems)
        summary = reading.problems[0] if count == 1 else f"{count} problems"
        outer = all(problem.startswith(_ENVIRONMENT) for problem in reading.problems)
        hint = "correct the variable" if outer else "correct the file"
        raise ConfigError(f"{path}: {summary}", hint=hint, problems=tuple(reading.problems))
    return Config(kafka=kafka, connections=connections, server=server)


def sample() -> str:
    """Return the text of a commented sample configuration."""
    return importlib.resources.files(__package__).joinpath("sample.toml").read_text(encoding="utf-8")


def write_sample(path: Path, *, overwrite: bool) -> None:
    """Write the sample to `path`; raises `ConfigError` if that fails, or if the file exists and may not be replaced."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(sample())
    except FileExistsError as error:
        raise ConfigError(f"{path}: already exists", hint="choose another with --config, or give --force") from error
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written: {error.strerror}", hint="choose another with --config"
        ) from error


def _outside(reading: Reading, environ: Mapping[str, str]) -> Outbound:
    """Return what the environment says about proxies and certificates."""
    found, problems = outbound.read(environ)
    for problem in problems:
        reading.problem(_ENVIRONMENT, problem)
    if found.ca_file or found.ca_folders:
        try:
            http.certificates(None, found)
        except ConfigError as error:
            reading.problem(_ENVIRONMENT, str(error))
    return found


def _kafka(reading: Reading, table: Any, outside: Outbound) -> KafkaConfig | None:
    if isinstance(table, dict) and isinstance(client := table.get("client"), dict):
        table = {**table, "client": {name: _client_value(reading, name, value) for name, value in client.items()}}
    kafka = reading.model(KafkaConfig, table, "kafka")
    if kafka and kafka.registry:
        return kafka.model_copy(update={"registry": kafka.registry.model_copy(update={"outbound": outside})})
    return kafka


def _client_value(reading: Reading, name: str, value: Any) -> str | SecretStr:
    path = join("kafka.client", name)
    if reason := librdkafka.refusal(name):
        reading.problem(path, f"is not yours to set: {reason}")
    elif isinstance(value, dict) or librdkafka.is_secret(name):
        return reading.secret(value, path, one_line=not name.endswith(".pem"))
    elif not isinstance(value, _SCALAR):
        reading.problem(path, f"must be a string, a number or a boolean, not {kind(value)}")
    return str(as_text(value))


def _connections(reading: Reading, tables: Any, outside: Outbound) -> dict[str, Connection]:
    if not isinstance(tables, dict) or not tables:
        reading.problem("connections", "write a table [connections.<name>] for each stream to follow")
        return {}
    found = {}
    for name, table in tables.items():
        path = join("connections", name)
        if not re.fullmatch(r"[a-z0-9-]+", name):
            reading.problem(path, "a connection's name consists of lower-case letters, digits and -")
        connection = _connection(reading, name, table, path)
        if connection:
            found[name] = connection.model_copy(update={"outbound": outside})
    return found


def _connection(reading: Reading, name: str, table: Any, path: str) -> Connection | None:
    if not isinstance(table, dict):
        reading.problem(path, f"must be a table, not {kind(table)}")
        return None
    common = Connection.model_fields.keys() - {"name", "settings", *Connection.internal}
    settings_type = _settings_type(reading, table.get("vendor"), path)
    settings = None
    if settings_type:
        table = reading.known(table, common | settings_type.model_fields.keys(), path)
        own = {key: value for key, value in table.items() if key in settings_type.model_fields}
        settings = reading.model(settings_type, own, path)
    # Common keys are checked even if the vendor's are wrong: every problem is reported at once.
    if settings_type:
        vendor = vendors.find(table["vendor"])
        _contradictions(reading, vendor, table, path)
    keys = {"vendor": "", **{key: value for key, value in table.items() if key in common}}
    stand_in = settings or Settings.model_construct()
    connection = reading.model(Connection, {**keys, "name": name, "settings": stand_in}, path)
    if connection and settings_type and connection.tables:
        try:
            columns.check(connection.tables.options(), localized=vendor.localized)
        except ConfigError as error:
            reading.problem(join(path, "tables"), f"{str(error).removeprefix('tables: ')}; {error.hint}")
    return connection if settings else None


def _contradictions(reading: Reading, vendor: type[Vendor], table: Table, path: str) -> None:
    """Record settings that have no effect with this vendor, or leave nothing to publish."""
    if table.get("locales") and not vendor.localized:
        reading.problem(
            join(path, "locales"),
            f"has no effect: one item of {vendor.name} carries every locale; leave it out, and let consumers choose",
        )
    wanted = table.get("entity_types")
    known = set(get_args(EntityType))
    if isinstance(wanted, list) and wanted and set(map(str, wanted)) <= known - vendor.entity_types:
        only = ", ".join(sorted(vendor.entity_types))
        reading.problem(join(path, "entity_types"), f"leaves nothing to publish: {vendor.name} delivers only {only}")


def _need_registry(reading: Reading, kafka: KafkaConfig, connections: Mapping[str, Connection]) -> None:
    for name, connection in connections.items():
        path = join("connections", name, "tables")
        if connection.tables and kafka.registry is None:
            reading.problem(path, "needs a schema registry: no consumer could know the schemas; set kafka.registry")
        elif connection.tables and kafka.registry and not kafka.registry.may_register:
            reading.problem(
                path, "needs the right to register schemas, as they follow the content model: leave out register"
            )


def _settings_type(reading: Reading, vendor: Any, path: str) -> type[Settings] | None:
    if not isinstance(vendor, str):
        reading.problem(join(path, "vendor"), f"is required: one of {', '.join(vendors.names())}")
        return None
    try:
        return vendors.find(vendor).settings_type
    except ConfigError as error:
        reading.problem(join(path, "vendor"), f"{error}; {error.hint}")
        return None
