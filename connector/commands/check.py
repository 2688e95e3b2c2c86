"""Checks a configuration against the real systems before anything is published. Changes nothing; says what to do."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from connector import wiring
from connector.cms.vendor import Remark
from connector.commands import check_access, check_cms, check_settings, schemas
from connector.commands.tables import recorded
from connector.config.settings import Config
from connector.errors import ConfigError, ConnectorError, ForeignRecord, TopicMismatch, Unreachable
from connector.kafka.cluster import Cluster
from connector.kafka.foreign_records import listing, remedy
from connector.kafka.published import PublishedRecords
from connector.kafka.topic_names import Layout
from connector.kafka.topics import Topics
from connector.model.checkpoint import Checkpoint
from connector.tables.names import OWN
from connector.wiring import ConfiguredStream

Verdict = Literal["ok", "warning", "failed"]

_NEWEST: Final = 100
# What needs fixing comes before what may go away without help.
_WORST_FIRST: Final = (ConfigError.exit_code, ConnectorError.exit_code, Unreachable.exit_code)


class Finding(msgspec.Struct, frozen=True):
    """The result of checking one `subject`: a sentence and, unless the verdict is `ok`, what to do next."""

    subject: str
    verdict: Verdict
    message: str
    hint: str = ""
    exit_code: int = 0


def verdict(findings: list[Finding]) -> int:
    """Return the exit code of the most serious finding."""
    codes = {finding.exit_code for finding in findings}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def failure(subject: str, error: ConnectorError) -> Finding:
    """Return an error as a finding."""
    return Finding(subject, "failed", str(error), error.hint, error.exit_code)


def refused(error: ConfigError) -> list[Finding]:
    """Return the findings for a configuration that cannot be used."""
    problems = error.problems or (str(error),)
    return [Finding("configuration", "failed", problem, error.hint, error.exit_code) for problem in problems]


def examine(config: Config) -> Iterator[Finding]:
    """Yield a finding for everything a run needs, as soon as it is known."""
    yield Finding("configuration", "ok", f"valid; it follows {', '.join(config.connections)}")
    streams = wiring.streams(config)
    cluster = streams[0].cluster
    broker = _finding("broker", lambda: f"{len(cluster.topics())} topics at {config.kafka.bootstrap_servers}")
    yield broker
    if broker.verdict == "ok":
        yield _finding("machine", lambda: check_access.of_machine(config, cluster))
        yield _finding("rights", lambda: check_access.of_process(streams[0]))
        handed_on = _finding("webhooks", lambda: check_access.of_handover(streams[0]))
        yield handed_on if handed_on.verdict == "ok" else _as_warning(handed_on)
    registry, answers = streams[0].registry, True
    if registry:
        found = _finding("registry", lambda: f"{len(registry.subjects())} subjects in the schema registry")
        answers = found.verdict == "ok"
        yield found
        assert config.kafka.registry
        yield from remarked("registry", check_settings.of_registry(config.kafka.registry))
    else:
        yield Finding("registry", "ok", "none is configured: events carry Avro's single-object encoding")
    for stream in streams:
        yield from _stream(stream, cluster if broker.verdict == "ok" else None, registry_answers=answers)


def _stream(stream: ConfiguredStream, cluster: Cluster | None, *, registry_answers: bool) -> Iterator[Finding]:
    name = stream.name
    try:
        gaps = stream.vendor.filter_gaps()
    except ConfigError as error:
        yield failure(name, error)
        return
    accepted = _finding(f"{name}: credentials", lambda: check_cms.probe(stream))
    yield accepted
    yield from remarked(name, [*gaps, *check_settings.of_stream(stream)])
    if accepted.verdict == "ok" and stream.connection.snapshot_mode != "never" and check_cms.concerns(stream):
        yield from _first_page(stream)
    published: PublishedRecords | None = None
    if cluster:
        published = yield from _topics(stream, cluster)
        yield _finding(f"{name}: rights", lambda: check_access.of_stream(stream, cluster, _tables(stream, cluster)))
    if not registry_answers:
        return
    if cluster:
        yield _finding(f"{name}: keys", lambda: _keys(stream, published))
    if stream.registry:
        yield _schemas(stream)


def _tables(stream: ConfiguredStream, cluster: Cluster) -> Collection[str]:
    """Return the tables that a stream has or will have, as far as that is known."""
    if not stream.connection.tables:
        return ()
    try:
        known = recorded(stream)
    except ConnectorError:
        known = {}  # why its state cannot be read is said elsewhere
    return {*OWN, *known, *stream.layout.tables_among(cluster.topics())}


def _keys(stream: ConfiguredStream, published: PublishedRecords | None) -> str:
    records = published or stream.published()
    return records.check_keys()


def _as_warning(finding: Finding) -> Finding:
    """Return a failure that does not stop a run as a warning."""
    return msgspec.structs.replace(finding, verdict="warning", exit_code=0)


def _schemas(stream: ConfiguredStream) -> Finding:
    about = f"{stream.name}: schemas"
    try:
        wanted = schemas.wanted(stream)
        subjects, missing = len(wanted.subjects), schemas.missing(stream, wanted)
    except ConnectorError as error:
        return failure(about, error)
    more = f"; {wanted.remark}" if wanted.remark else ""
    if missing < subjects:
        later = "; the others will be registered when first used" if missing else ""
        return Finding(about, "ok", f"{subjects - missing} of {subjects} are registered{later}{more}")
    return Finding(
        about,
        "warning",
        f"none of {subjects} is registered yet, and whether this account may register them cannot be tested{more}",
        "the first run registers them; if it may not, have somebody who may run: contentwire schemas register",
    )


def _first_page(stream: ConfiguredStream) -> Iterator[Finding]:
    about = f"{stream.name}: {', '.join(check_cms.concerns(stream))}"
    try:
        found, remarks = check_cms.first_page(stream)
    except ConnectorError as error:
        yield failure(about, error)
        return
    yield from remarked(stream.name, remarks)
    if not remarks:
        yield Finding(about, "ok", found)


def remarked(of: str, remarks: Iterable[Remark]) -> Iterator[Finding]:
    """Yield a warning for each remark on a setting."""
    for setting, what, hint in remarks:
        yield Finding(f"{of}: {setting}", "warning", what, hint)


def _topics(stream: ConfiguredStream, cluster: Cluster) -> Generator[Finding, None, PublishedRecords | None]:
    """Yield findings on a stream's topics; return its records, or None if its state cannot be read."""
    layout, about = stream.layout, f"{stream.name}: topics"
    try:
        names = cluster.topics()
        checkpoint = cluster.last_checkpoint(layout.state_topic, stream.name) if layout.state_topic in names else None
    except ConnectorError as error:
        yield failure(about, error)
        return None
    changed = checkpoint is not None and checkpoint.fingerprint != stream.fingerprint
    checkpoint = checkpoint.restarted_for(stream.fingerprint) if checkpoint and changed else checkpoint
    published = stream.published_at(checkpoint)
    at = Topics(stream.client, stream.clock)
    yield _finding(about, lambda: _inspect(at, layout, names, checkpoint))
    new = names.keys() - (checkpoint.progress.topics.keys() if checkpoint else set())
    yield from unknown(at, layout, new, tables=bool(stream.connection.tables))
    if existing := layout.changes_among(names):
        tables = [layout.table_topic(each) for each in layout.tables_among(names)] if stream.connection.tables else []
        yield from _differing(at, stream.name, [*existing, *tables], stream.config.kafka.topic_config)
        yield _finding(f"{stream.name}: records", lambda: _records(stream.name, published, rows=bool(tables)))
    if changed:
        yield Finding(
            f"{stream.name}: checkpoint",
            "warning",
            "the configuration now follows something else: the next run takes a new snapshot",
            "to avoid that, restore space, environment, filters and topic template",
        )
    return published


def _differing(topics: Topics, of: str, names: Iterable[str], wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each topic whose settings differ from `topic_config`, which applies only on creation."""
    for name in names:
        try:
            found = topics.differing(name, wanted)
        except ConnectorError as error:
            yield failure(f"{of}: topic_config", error)
            continue
        if found:
            actual = ", ".join(f"{setting} = {value}" for setting, value in sorted(found.items()))
            config = ",".join(f"{setting}={wanted[setting]}" for setting in sorted(found))
            command = f"kafka-configs --alter --topic {name} --add-config {config}"
            hint = f"topic_config applies only when a topic is created: {command}, or correct topic_config"
            yield Finding(f"{of}: topic_config", "warning", f"topic {name} has {actual}", hint)


def _records(connection: str, published: PublishedRecords, *, rows: bool) -> str:
    found = [*published.foreign(newest=_NEWEST), *(published.foreign_rows(newest=_NEWEST) if rows else ())]
    if found:
        raise ForeignRecord(
            f"the topics hold records that contentwire did not write: {listing(found)}", hint=remedy(connection)
        )
    return f"the newest {_NEWEST} of each partition are contentwire's"


def _inspect(topics: Topics, layout: Layout, names: dict[str, int], checkpoint: Checkpoint | None) -> str:
    present = layout.changes_among(names)
    written = checkpoint.progress.topics if checkpoint else {}
    if layout.state_topic in names:
        topics.check(layout.state_spec())
    for name in sorted({*present, *written}):
        topics.check(layout.changes_spec(name), written.get(name))
    return (
        f"{', '.join(present)} as the message contract requires" if present else "none yet: the first run creates them"
    )


def unknown(topics: Topics, layout: Layout, names: Collection[str], *, tables: bool = False) -> Iterator[Finding]:
    """Yield a warning for each topic that would stop a run if the run came to use it; some only look like ours."""
    subject = f"{layout.connection}: topics"
    used = [layout.table_topic(each) for each in layout.tables_among(names)] if tables else []
    for name in (*layout.changes_among(names), *used):
        try:
            topics.check_unwritten(name)
        except TopicMismatch as error:
            yield Finding(subject, "warning", str(error), error.hint)
        except ConnectorError as error:
            yield failure(subject, error)


def _finding(subject: str, examine: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", examine())
    except ConnectorError as error:
        return failure(subject, error)
