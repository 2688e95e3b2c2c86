"""A file as a whole: its tables belong together, every problem is reported at once, and the sample is valid."""

import re
import tomllib
from pathlib import Path

import pytest
import trustme

from connector import vendors
from connector.config import load as loader
from connector.config.settings import Connection, KafkaConfig
from connector.errors import ConfigError
from tests.unit.config.acme import BLOG, KAFKA, Load, Problems


def test_vendor_keys_and_common_keys_share_one_table(load: Load) -> None:
    """A connection's table holds the vendor's keys and the common ones side by side."""
    blog = load(KAFKA + BLOG + 'page_size = 10\nlocales = ["en", "de", "en"]\nentity_types = ["entry"]\n')
    assert blog.connections["blog"].settings.page_size == 10
    assert blog.connections["blog"].locales == ("de", "en")
    assert blog.connections["blog"].entity_types == ("entry",)


def test_no_vendor_claims_a_common_key() -> None:
    """A key means one thing: no vendor's settings repeat a key that every connection has."""
    for name in vendors.names():
        assert not vendors.find(name).settings_type.model_fields.keys() & Connection.model_fields.keys()


def test_every_problem_is_reported_at_once_with_its_path(problems: Problems) -> None:
    """One run of the command shows everything to correct."""
    text = (
        '[kafka]\npartitions = 0\n[connections.blog]\nvendor = "acme"\ntoken = { env = "NOPE" }\npage_size = "9"\n'
        '[connections.Shop]\nvendor = "acne"\npoll_interval = -1\n[server]\nlisten = "here"\n'
    )
    assert {line.split(": ")[0] for line in problems(text)} == {
        "kafka.bootstrap_servers",
        "kafka.partitions",
        "connections.blog.token",
        "connections.blog.space",
        "connections.blog.page_size",
        "connections.Shop",
        "connections.Shop.vendor",
        "connections.Shop.poll_interval",
        "server.listen",
    }


SAMPLE_ENVIRON = dict.fromkeys(re.findall(r'env = "(\w+)"', loader.sample()), "secret-value")


def test_the_sample_is_valid(load: Load) -> None:
    """What `init` writes can be used as it stands, given the one token it names."""
    loaded = load(loader.sample(), {"CONTENTFUL_TOKEN": "secret-value"})
    assert list(loaded.connections) == ["blog"]
    assert loaded.server is not None


def test_every_commented_line_of_the_sample_is_valid(load: Load, tmp_path: Path) -> None:
    """Taking the comment mark off any of the sample's lines gives a valid configuration."""
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    sample = loader.sample().splitlines()
    commented = [line for line in sample if line.startswith("#") and line[1:2].isalpha()]
    assert len(commented) > 20
    tables = [index for index, line in enumerate(sample) if line.startswith("#[")]
    settings = [index for index, line in enumerate(sample) if line in commented and index < tables[0]]
    for index in settings:
        load("\n".join([*sample[:index], sample[index][1:], *sample[index + 1 :]]), SAMPLE_ENVIRON)
    with_vendors = [line.removeprefix("#") if index >= tables[0] else line for index, line in enumerate(sample)]
    prose = [line for line in with_vendors if not line.startswith(" ")]
    followed = load("\n".join(prose), SAMPLE_ENVIRON).connections.values()
    assert {"acme", *(each.vendor for each in followed)} == set(vendors.names())


def test_the_sample_shows_the_real_defaults() -> None:
    """A commented line of a key that has a plain default shows that default."""
    text = loader.sample()
    kafka, _, connection = text.partition("[connections.blog]")
    blog = vendors.find("contentful").settings_type.model_fields | Connection.model_fields
    for part, fields in ((kafka, KafkaConfig.model_fields), (connection.partition("#[")[0], blog)):
        lines = [line[1:] for line in part.splitlines() if line.startswith("#") and line[1:2].isalpha()]
        shown = {key: value for line in lines for key, value in tomllib.loads(line).items()}
        plain = {key: fields[key].default for key in shown if isinstance(fields[key].default, str | int | float)}
        assert len(plain) >= 8
        assert {key: shown[key] for key in plain} == plain


def test_secrets_of_what_is_not_contacted_may_be_missing(tmp_path: Path, load: Load) -> None:
    """A command that contacts no CMS needs none of its tokens; one that does names what is missing."""
    path = tmp_path / "contentwire.toml"
    registry = 'registry = { url = "http://localhost:1", user = "u", password = { env = "R" } }\n'
    path.write_text(f"{KAFKA}{registry}{BLOG}{BLOG.replace('blog', 'shop').replace('TOKEN', 'OTHER')}")
    loaded = loader.load(path, {"TOKEN": "tok-1234-secret"}, cms=("blog",), registry=False)
    assert list(loaded.connections) == ["blog", "shop"]
    assert loaded.secrets() == {"tok-1234-secret"}
    with pytest.raises(ConfigError) as caught:
        loader.load(path, {}, cms=("blog",), registry=True)
    assert {problem.split(": ")[0] for problem in caught.value.problems} == {
        "connections.blog.token",
        "kafka.registry.password",
    }


def test_a_setting_that_the_vendor_can_only_ignore_is_a_problem(problems: Problems) -> None:
    """Types that the vendor does not deliver leave nothing to publish: the error comes before anything runs."""
    (line,) = problems(KAFKA + BLOG + 'entity_types = ["content_type"]\n')
    assert line == "connections.blog.entity_types: leaves nothing to publish: acme delivers only asset, entry"


def test_a_useless_filter_of_locales_is_refused(tmp_path: Path) -> None:
    """If one item carries every locale, a filter would filter nothing."""
    path = tmp_path / "contentwire.toml"
    path.write_text(
        f'{KAFKA}[connections.blog]\nvendor = "contentful"\nspace = "s"\ntoken = {{ env = "T" }}\nlocales = ["en"]\n'
    )
    with pytest.raises(ConfigError) as caught:
        loader.load(path, {"T": "tok-1234-secret"})
    (line,) = caught.value.problems
    assert line.startswith("connections.blog.locales: has no effect: one item of contentful carries every locale")


def test_one_problem_is_the_message_and_several_are_counted(tmp_path: Path) -> None:
    """The file is named either way, and the hint says what to correct: the file, or an environment variable."""
    path = tmp_path / "contentwire.toml"
    path.write_text(KAFKA)
    with pytest.raises(ConfigError, match=r"contentwire\.toml: connections: write a table") as caught:
        loader.load(path, {})
    assert caught.value.hint == "correct the file"
    path.write_text(f"{KAFKA}partitions = 0\n")
    with pytest.raises(ConfigError, match=r"contentwire\.toml: 2 problems$"):
        loader.load(path, {})


def test_a_sample_overwrites_nothing_unless_it_may(tmp_path: Path) -> None:
    """An existing file stays as it is; with `overwrite` it becomes the sample."""
    path = tmp_path / "contentwire.toml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="already exists") as caught:
        loader.write_sample(path, overwrite=False)
    assert "--force" in caught.value.hint
    assert path.read_text() == "mine"
    loader.write_sample(path, overwrite=True)
    assert path.read_text() == loader.sample()
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        loader.write_sample(tmp_path / "gone" / "x.toml", overwrite=True)


REGISTRY = KAFKA + 'registry = { url = "http://127.0.0.1:8081" }\n'


@pytest.mark.parametrize(
    ("written", "locales", "evolution"),
    [
        ("true", "rows", "column"),
        ('{ evolution = "stop" }', "rows", "stop"),
        ('{ locales = "default", evolution = "json" }', "default", "json"),
    ],
)
def test_tables_are_switched_on_with_or_without_options(load: Load, written: str, locales: str, evolution: str) -> None:
    """What is left out has its default."""
    tables = load(REGISTRY + BLOG + f"tables = {written}\n").connections["blog"].tables
    assert tables
    assert (tables.options().locales, tables.options().evolution) == (locales, evolution)


def test_tables_are_off_unless_asked_for(load: Load) -> None:
    """Then they need no registry."""
    assert load(KAFKA + BLOG).connections["blog"].tables is False
    assert load(KAFKA + BLOG + "tables = false\n").connections["blog"].tables is False


@pytest.mark.parametrize(
    ("kafka", "written", "why"),
    [
        (KAFKA, "true", "needs a schema registry"),
        (KAFKA + 'registry = { url = "http://127.0.0.1:8081", register = false }\n', "true", "right to register"),
        (REGISTRY, '{ locales = ["en-US", "EN-us"] }', "one of them twice"),
        (REGISTRY, "{ locales = [] }", "names none"),
        (REGISTRY, '{ locales = ["en-US"] }', "delivers each locale on its own"),
        (REGISTRY, '"yes"', "must be true, false, or a table"),
        (REGISTRY, '{ evolution = "never" }', "evolution"),
        (REGISTRY, "{ local = 1 }", "locales"),
    ],
)
def test_tables_that_cannot_be_are_refused(problems: Problems, kafka: str, written: str, why: str) -> None:
    """With the reason, at the setting."""
    found = problems(kafka + BLOG + f"tables = {written}\n")
    assert any(line.startswith("connections.blog.tables") and why in line for line in found), found
