"""Settings that have no effect: each is named, and none that has one."""

from pathlib import Path

import pytest
import trustme

from connector.commands import check_settings
from connector.config.load import load
from connector.wiring import ConfiguredStream

BLOG = 'vendor = "contentful"\nspace = "s"\ntoken = { env = "T" }\n'
SHOP = 'vendor = "contentstack"\napi_key = { env = "T" }\nenvironment = "e"\ntoken = { env = "T" }\n'


def found(tmp_path: Path, connection: str, *, kafka: str = "", tables: str = "") -> set[str]:
    """Return the names of the settings that have no effect."""
    path = tmp_path / "contentwire.toml"
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    path.write_text(f'[kafka]\nbootstrap_servers = "k:9092"\n{kafka}\n[connections.c]\n{connection}\n{tables}')
    config = load(path, {"T": "token"})
    remarks = list(check_settings.of_stream(ConfiguredStream(config, "c")))
    if config.kafka.registry:
        remarks += check_settings.of_registry(config.kafka.registry)
    assert all(each.what and each.hint for each in remarks)
    return {each.setting for each in remarks}


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (BLOG + 'region = "eu"\nbase_url = "https://proxy.example.com"', {"region"}),
        (BLOG + "allow_http = true", {"allow_http"}),
        (BLOG + 'allow_http = true\nbase_url = "https://proxy.example.com"', {"allow_http"}),
        (BLOG + 'entity_types = ["entry", "content_type"]', {"entity_types"}),
        (BLOG + 'entity_types = ["asset"]\ncontent_types = ["page"]', {"content_types"}),
        (BLOG + 'webhook_secret = { env = "T" }', {"webhook_secret"}),
        (BLOG + 'snapshot_mode = "initial_only"\npoll_interval = 5', {"poll_interval"}),
        (
            BLOG + 'snapshot_mode = "never"\nrepublish = "all"\nmax_delete_share = 1.0',
            {"republish", "max_delete_share"},
        ),
        (BLOG + 'base_url = "http://127.0.0.1:1"\nproxy = "http://p.example.com:3128"', {"proxy"}),
        (BLOG + 'base_url = "http://localhost"\nproxy = "http://p.example.com:3128"', {"proxy"}),
        (BLOG + 'base_url = "http://cms.example.com"\nallow_http = true\nca = "ca.pem"', {"ca"}),
        (SHOP + 'entry_deleted_scope = "entry"\napi_filter = { type = "entry_published" }', {"entry_deleted_scope"}),
    ],
)
def test_a_setting_without_effect_is_named(tmp_path: Path, lines: str, named: set[str]) -> None:
    """What is written and ignored misleads whoever reads it."""
    assert found(tmp_path, lines) == named


@pytest.mark.parametrize(
    "lines",
    [
        BLOG,
        BLOG + 'region = "eu"\npage_size = 50\npoll_interval = 5',
        BLOG + 'allow_http = true\nbase_url = "http://cms.example.com"',
        BLOG + 'entity_types = ["entry", "asset"]\ncontent_types = ["page"]',
        BLOG + 'base_url = "https://cms.example.com"\nproxy = "http://p.example.com:3128"',
        BLOG + 'snapshot_mode = "initial"\nrepublish = "all"',
        SHOP + 'entity_types = ["entry", "content_type"]\nlocales = ["de"]',
        SHOP + 'entry_deleted_scope = "entry"\napi_filter = { type = "entry_published,entry_deleted" }',
    ],
)
def test_a_setting_with_an_effect_is_not(tmp_path: Path, lines: str) -> None:
    """A needless warning trains people to ignore warnings."""
    assert found(tmp_path, lines) == set()


def test_a_port_for_webhooks_uses_their_secret(tmp_path: Path) -> None:
    """With the table [server], the secret has an effect."""
    assert found(tmp_path, BLOG + 'webhook_secret = { env = "T" }', tables="[server]\n") == set()


@pytest.mark.parametrize(
    ("registry", "named"),
    [
        ('url = "https://registry.example.com"', set()),
        ('url = "http://registry.example.com", proxy = "http://p.example.com:3128"', set()),
        ('url = "http://localhost:8081", proxy = "http://p.example.com:3128"', {"proxy"}),
        ('url = "http://registry.example.com", ca = "ca.pem"', {"ca"}),
    ],
)
def test_the_registry_is_judged_by_the_same_rules(tmp_path: Path, registry: str, named: set[str]) -> None:
    """Loopback needs no proxy, and plain http needs no certificates."""
    assert found(tmp_path, BLOG, kafka=f"registry = {{ {registry} }}") == named
