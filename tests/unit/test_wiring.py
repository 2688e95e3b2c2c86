"""A configured stream: which of its parts are made once, and what stands for what it follows."""

from pathlib import Path

import pytest

from connector.errors import ConnectorError, Fenced, SourceRejected, Superseded, TransactionAborted, UnknownOutcome
from connector.wiring import ConfiguredStream, against_owner, signature, streams
from tests.unit.configured import configured

FILTERED = 'content_types = ["post"]'
SHOP = '[connections.shop]\nvendor = "contentful"\nspace = "s2"\ntoken = { env = "T" }\n'


@pytest.fixture(name="blog")
def _blog(tmp_path: Path) -> ConfiguredStream:
    return configured(tmp_path, blog=FILTERED, more=SHOP)


@pytest.mark.parametrize("part", ["vendor", "layout", "client", "policy"])
def test_a_part_is_made_once(blog: ConfiguredStream, part: str) -> None:
    """Whoever asks for it again gets the same one."""
    assert getattr(blog, part) is getattr(blog, part)


def test_every_connection_is_a_stream(blog: ConfiguredStream) -> None:
    """Each has its own topics, under the name of its connection."""
    assert [(each.name, each.layout.connection) for each in streams(blog.config)] == [
        ("blog", "blog"),
        ("shop", "shop"),
    ]


def test_other_settings_leave_the_stream_as_it_is(blog: ConfiguredStream) -> None:
    """A command that is stricter than the configuration changes it for nobody else."""
    strict = blog.having(oversized="stop")
    assert (strict.policy.oversized, blog.policy.oversized) == ("stop", "dead-letter")
    assert (strict.fingerprint, strict.layout) == (blog.fingerprint, blog.layout)


@pytest.mark.parametrize(
    "blog",
    [
        "page_size = 7",
        "poll_interval = 5",
        'envelope = "flat"',
        "tombstones = false",
        'base_url = "https://proxy.example"',
        'snapshot_mode = "initial_only"',
        'republish = "all"',
    ],
)
def test_a_cursor_outlives_what_does_not_change_its_meaning(tmp_path: Path, blog: str) -> None:
    """No new snapshot is taken for how pages are fetched, or how what they say is written."""
    assert configured(tmp_path, blog=blog).fingerprint == configured(tmp_path).fingerprint


def test_a_cursor_outlives_its_token(tmp_path: Path) -> None:
    """Credentials are renewed; what they lead to stays the same."""
    renewed = configured(tmp_path, environ={"T": "tok-renewed"})
    assert renewed.fingerprint == configured(tmp_path).fingerprint


@pytest.mark.parametrize(
    "blog",
    [
        'environment = "staging"',
        'content_types = ["post"]',
        'entity_types = ["entry"]',
        'api_filter = { type = "Entry" }',
    ],
)
def test_a_cursor_does_not_outlive_what_it_walks_over(tmp_path: Path, blog: str) -> None:
    """The first part changes; where it is published did not."""
    changed, former = configured(tmp_path, blog=blog).fingerprint, configured(tmp_path).fingerprint
    assert changed.split(".")[0] != former.split(".")[0]
    assert changed.split(".")[1] == former.split(".")[1]


def test_another_topic_template_is_told_apart_from_another_walk(tmp_path: Path) -> None:
    """Only the second part changes: the cursor would still be good, but topics lack what was published."""
    changed = configured(tmp_path, kafka='topic = "cms.{connection}"').fingerprint.split(".")
    former = configured(tmp_path).fingerprint.split(".")
    assert (changed[0] == former[0], changed[1] == former[1]) == (True, False)


def test_filters_are_sets(tmp_path: Path) -> None:
    """Their order in the file means nothing, so it does not change what a cursor means."""
    one, other = (configured(tmp_path, blog=f"content_types = {names}") for names in (["a", "b"], ["b", "a"]))
    assert one.fingerprint == other.fingerprint


def test_a_process_signs_what_it_follows(tmp_path: Path) -> None:
    """Whatever the order of its connections; another connection, or another filter, is another signature."""
    both = streams(configured(tmp_path, more=SHOP).config)
    assert signature(both) == signature(reversed(both))
    assert signature(both) != signature(both[:1])
    assert signature(both) != signature(streams(configured(tmp_path, blog=FILTERED, more=SHOP).config))


def test_the_policy_is_what_the_operator_wrote(tmp_path: Path) -> None:
    """Of the connection and of Kafka; a filter that is not written lets everything pass."""
    blog = (
        'content_types = ["post"]\nunseen_deletes = "suppress"\ntombstones = false\nenvelope = "flat"\n'
        'malformed = "stop"\noversized = "reference"\nrepublish = "all"\n'
    )
    kafka = "max_message_bytes = 2048\ncommit_items = 3\ncommit_bytes = 4096\n"
    policy = configured(tmp_path, blog=blog, kafka=kafka).policy
    assert (policy.content_types, policy.entity_types, policy.locales) == (frozenset({"post"}), None, None)
    assert (policy.unseen_deletes, policy.tombstones, policy.envelope) == ("suppress", False, "flat")
    assert (policy.malformed, policy.oversized, policy.republish) == ("stop", "reference", "all")
    assert (policy.max_message_bytes, policy.commit_items, policy.commit_bytes) == (2048, 3, 4096)


def test_a_dead_letter_holds_the_largest_item(tmp_path: Path) -> None:
    """Whatever a response may be: an item of its whole size has a place to go, with what is told beside it."""
    layout = configured(tmp_path, blog="max_response_bytes = 100_000_000").layout
    assert layout.max_letter_bytes > 100_000_000


def test_an_operator_is_told_when_credentials_are_read_again(tmp_path: Path) -> None:
    """A file with every try, the environment only at the start: so a renewed token may need a restart."""
    (tmp_path / "hook").write_text("hook-secret")
    told = configured(tmp_path, blog='webhook_secret = { file = "hook" }').spec().secrets_from
    rotating, fixed = told.split("; ")
    assert rotating == f"the file {tmp_path / 'hook'} is read again with every try"
    assert fixed.startswith("the environment variable T is read only at the start")


@pytest.mark.parametrize("lost", [Fenced, Superseded, TransactionAborted, UnknownOutcome])
def test_a_command_tries_again_where_the_owner_was_quicker(lost: type[ConnectorError]) -> None:
    """Its result is that of the try that succeeded."""
    outcomes = [lost("the owner was quicker"), lost("again")]

    def act() -> str:
        if outcomes:
            raise outcomes.pop()
        return "done"

    assert against_owner("blog", act) == "done"
    assert outcomes == []


def test_a_command_does_not_fight_an_owner_without_end() -> None:
    """It gives up with what to do: nothing was changed."""
    tries = []

    def act() -> None:
        tries.append(1)
        raise Fenced("the owner was quicker")

    with pytest.raises(ConnectorError, match="blog: its owner took the stream back 10 times") as caught:
        against_owner("blog", act)
    assert (len(tries), "stop the owner" in caught.value.hint) == (10, True)


def test_any_other_error_ends_a_command_at_once() -> None:
    """Only the race with the owner is worth another try."""
    tries = []

    def act() -> None:
        tries.append(1)
        raise SourceRejected("401")

    with pytest.raises(SourceRejected):
        against_owner("blog", act)
    assert len(tries) == 1
