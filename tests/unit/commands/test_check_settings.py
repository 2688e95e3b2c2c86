"""Settings that have no effect: each is found, and a configuration without any gives no remark."""

from pathlib import Path

import pytest
import trustme

from connector.commands.check_settings import of_registry, of_stream
from tests.unit.configured import configured

SERVER = '[server]\nlisten = "127.0.0.1:0"\n'


def test_a_plain_configuration_has_no_remark(tmp_path: Path) -> None:
    """Neither does one in which every setting has an effect."""
    assert list(of_stream(configured(tmp_path))) == []
    blog = 'webhook_secret = { env = "W" }\ncontent_types = ["post"]\nproxy = "http://proxy.example:3128"\n'
    assert list(of_stream(configured(tmp_path, blog=blog, more=SERVER))) == []


@pytest.mark.parametrize(
    ("blog", "setting"),
    [
        ("allow_http = true", "allow_http"),
        ('webhook_secret = { env = "W" }', "webhook_secret"),
        ('content_types = ["post"]\nentity_types = ["asset"]', "content_types"),
        ('entity_types = ["entry", "content_type"]', "entity_types"),
        ('snapshot_mode = "initial_only"\npoll_interval = 30', "poll_interval"),
        ('snapshot_mode = "never"\nrepublish = "changed"', "republish"),
        ('snapshot_mode = "never"\nmax_delete_share = 0.2', "max_delete_share"),
        ('base_url = "http://127.0.0.1:1"\nproxy = "http://proxy.example:3128"', "proxy"),
        ('base_url = "http://localhost"\nproxy = "http://proxy.example:3128"', "proxy"),
        ('base_url = "http://cms.example"\nallow_http = true\nca = "ca.pem"', "ca"),
    ],
)
def test_a_setting_without_effect_is_named(tmp_path: Path, blog: str, setting: str) -> None:
    """Only that setting, with a hint; writing down a default changes nothing."""
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    (remark,) = of_stream(configured(tmp_path, blog=blog))
    assert remark.setting == setting
    assert remark.hint


def test_a_mode_names_no_setting_that_is_not_written(tmp_path: Path) -> None:
    """A default that is not written down misleads nobody."""
    assert list(of_stream(configured(tmp_path, blog='snapshot_mode = "never"'))) == []
    assert list(of_stream(configured(tmp_path, blog="poll_interval = 30"))) == []


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ('url = "https://registry.example"', []),
        ('url = "http://registry.example", proxy = "http://proxy.example:3128"', []),
        ('url = "http://127.0.0.1:8081", proxy = "http://proxy.example:3128"', ["proxy"]),
        ('url = "http://registry.example", ca = "ca.pem"', ["ca"]),
    ],
)
def test_the_registry_is_judged_by_the_same_rules(tmp_path: Path, settings: str, named: list[str]) -> None:
    """Loopback needs no proxy, and plain http no certificates."""
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    registry = configured(tmp_path, kafka=f"registry = {{ {settings} }}").config.kafka.registry
    assert registry
    assert [remark.setting for remark in of_registry(registry)] == named
