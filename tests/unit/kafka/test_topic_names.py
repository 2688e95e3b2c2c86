"""A stream's topics: what they are called, which names are theirs, and their settings."""

import pytest

from connector.errors import MalformedItem, ModelRefused
from connector.kafka.topic_names import Layout, group, partitioned
from connector.model.change import EntityKey

LAYOUT = Layout(prefix="cms", connection="blog")
ROUTED = Layout(prefix="cms", connection="blog", topic="{prefix}.{connection}.{entity_type}.{locale}")
DAY_MS = 24 * 60 * 60 * 1000


def key(locale: str = "*", entity_type: str = "entry") -> EntityKey:
    """Return a key."""
    return EntityKey("blog", entity_type, "e1", locale)


def test_names_begin_with_the_prefix() -> None:
    """One prefix, one set of ACLs: topics, the transactional id and the group."""
    assert (LAYOUT.transactional_id, LAYOUT.state_topic, LAYOUT.letters_topic) == (
        "cms.blog",
        "cms.blog.state",
        "cms.blog.dead-letters",
    )
    assert LAYOUT.only_topic == "cms.blog.changes"
    assert group("cms") == "cms.connectors"


@pytest.mark.parametrize("topic", ["{prefix}.{entity_type}", "{prefix}.{locale}", "{prefix}.{entity_type}.{locale}"])
def test_a_template_that_routes_has_no_only_topic(topic: str) -> None:
    """Which topics there are is known only once there are keys."""
    assert Layout(prefix="cms", connection="blog", topic=topic).only_topic is None


def test_a_key_goes_where_the_template_says() -> None:
    """An item with all locales goes to `all`: no topic may have a star in its name."""
    assert LAYOUT.changes_topic(key("de")) == "cms.blog.changes"
    assert ROUTED.changes_topic(key("de-AT")) == "cms.blog.entry.de-AT"
    assert ROUTED.changes_topic(key(entity_type="asset")) == "cms.blog.asset.all"


@pytest.mark.parametrize("locale", ["d e", "é", "a/b", "de\n", "x" * 249])
def test_a_locale_that_makes_no_topic_name_is_malformed(locale: str) -> None:
    """Kafka allows letters, digits, dots, hyphens and underscores, at most 249 of them."""
    with pytest.raises(MalformedItem):
        ROUTED.changes_topic(key(locale))


@pytest.mark.parametrize("locale", ["state", "dead-letters"])
def test_a_locale_cannot_name_a_topic_of_ours(locale: str) -> None:
    """Events in the state topic would stop the stream."""
    with pytest.raises(MalformedItem):
        Layout(prefix="cms", connection="blog", topic="{prefix}.{connection}.{locale}").changes_topic(key(locale))


def test_changes_topics_are_recognised_by_their_names() -> None:
    """Each topic that a key can go to, sorted, and no others: neither the stream's own nor another stream's."""
    layout = Layout(prefix="c.m", connection="blog", topic="{prefix}.{connection}.{locale}")
    names = ["c.m.blog.fr", "c.m.blog.de-AT", "c.m.blog.all"]
    others = ["c.m.blog.state", "c.m.blog.dead-letters", "c.m.blog.", "cxm.blog.de", "c.m.blog2.de", "x.c.m.blog.de"]
    assert layout.changes_among([*names, *others]) == ["c.m.blog.all", "c.m.blog.de-AT", "c.m.blog.fr"]


def test_only_known_entity_types_make_a_topic_ours() -> None:
    """A name with another word in place of the entity type is somebody else's."""
    names = ["cms.blog.entry.de", "cms.blog.asset.all", "cms.blog.content_type.all", "cms.blog.page.de"]
    assert ROUTED.changes_among(names) == ["cms.blog.asset.all", "cms.blog.content_type.all", "cms.blog.entry.de"]


def test_a_name_that_begins_like_the_state_topics_is_not_reserved() -> None:
    """Only the whole name is reserved."""
    layout = Layout(prefix="cms", connection="blog", topic="{prefix}.{connection}.{locale}")
    assert layout.changes_among(["cms.blog.state", "cms.blog.state-of-play"]) == ["cms.blog.state-of-play"]


def test_changes_are_compacted_and_slow_consumers_miss_nothing() -> None:
    """Every change is kept for a day, every delete for a week; events up to the limit fit."""
    spec = Layout(prefix="cms", connection="blog", partitions=3, max_message_bytes=5000).changes_spec("t")
    assert (spec.name, spec.partitions, spec.exact) == ("t", 3, False)
    assert dict(spec.config) == {
        "cleanup.policy": "compact",
        "delete.retention.ms": str(7 * DAY_MS),
        "min.compaction.lag.ms": str(DAY_MS),
        "max.message.bytes": "5000",
    }


def test_an_operators_settings_apply_to_changes_topics_only() -> None:
    """They override ours there, and cannot touch what the state depends on."""
    layout = Layout(prefix="cms", connection="blog", topic_config={"cleanup.policy": "delete", "segment.ms": "1"})
    changes = layout.changes_spec("t").config
    assert (changes["cleanup.policy"], changes["segment.ms"]) == ("delete", "1")
    assert layout.state_spec().config["cleanup.policy"] == "compact"
    assert layout.state_spec().config["segment.ms"] != "1"
    assert "segment.ms" not in layout.letters_spec().config


def test_the_state_has_exactly_one_partition() -> None:
    """However many the changes topics have: it is one log, and stands for ownership."""
    spec = Layout(prefix="cms", connection="blog", partitions=9, replication_factor=3).state_spec()
    assert (spec.name, spec.partitions, spec.exact, spec.replication_factor) == ("cms.blog.state", 1, True, 3)


def test_dead_letters_stay_for_a_month() -> None:
    """Then they go; and what is too large for a changes topic fits."""
    spec = Layout(prefix="cms", connection="blog", max_message_bytes=10, max_letter_bytes=5000).letters_spec()
    assert spec.name == "cms.blog.dead-letters"
    assert dict(spec.config) == {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * DAY_MS),
        "max.message.bytes": "5000",
    }


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_a_key_belongs_to_the_partition_that_kafka_gives_it(key: bytes, murmur2: int) -> None:
    """By the values in Kafka's own tests of its hash."""
    assert [partitioned(key, count) for count in (1, 7, 1000)] == [murmur2 % 2**31 % count for count in (1, 7, 1000)]


@pytest.mark.parametrize(
    "template",
    [
        "{prefix}.{connection}.changes",
        "cms.{connection}.{entity_type}",
        "{prefix}.{connection}.{locale}",
        "{prefix}.{locale}.{entity_type}.{connection}",
    ],
)
def test_the_pattern_matches_every_changes_topic_and_no_other(template: str) -> None:
    """Whatever the template routes by, its topics are found; state, dead letters and other connections are not."""
    pattern = Layout(prefix="p", connection="blog", topic=template).changes_pattern
    other = Layout(prefix="p", connection="blog2", topic=template)
    for kind in ("entry", "asset", "content_type"):
        for locale in ("*", "de-DE"):
            key = EntityKey("blog", kind, "e1", locale)
            assert pattern.fullmatch(Layout(prefix="p", connection="blog", topic=template).changes_topic(key))
            assert not pattern.fullmatch(other.changes_topic(key))
    assert not pattern.fullmatch("p.blog.state")
    assert not pattern.fullmatch("p.blog.dead-letters")


def test_tables_have_topics_of_their_own() -> None:
    """They are no changes topics, whatever the template."""
    layout = Layout(prefix="cw", connection="blog", topic="{prefix}.{connection}.{locale}")
    assert layout.table_topic("post") == "cw.blog.table.post"
    assert layout.is_table("cw.blog.table.post")
    assert layout.changes_among(["cw.blog.table.post", "cw.blog.table", "cw.blog.en-US"]) == [
        "cw.blog.en-US",
        "cw.blog.table",
    ]
    with pytest.raises(MalformedItem):
        layout.changes_topic(key("table.post"))


def test_a_table_whose_topic_kafka_would_refuse_is_refused() -> None:
    """Before anything is written."""
    with pytest.raises(ModelRefused, match="too long"):
        Layout(prefix="cw", connection="blog").table_topic("x" * 240)


def test_tables_are_known_by_their_topics() -> None:
    """Those of the connection alone, called as contentwire calls tables; a choice of them matches no other."""
    layout = Layout(prefix="cw", connection="blog")
    topics = [
        "cw.blog.table.post",
        "cw.blog.table._asset",
        "cw.blog.table.a.b",
        "cw.shop.table.post",
        "cw.blog.tablepost",
    ]
    assert layout.tables_among(topics) == ["_asset", "post"]
    assert list(filter(layout.tables_named("post", "page").fullmatch, topics)) == ["cw.blog.table.post"]
    assert not layout.tables_named("pos").fullmatch("cw.blog.table.post")
