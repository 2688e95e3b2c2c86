"""Which streams share connections: those to one host, through one proxy, trusting the same certificates."""

from pathlib import Path

import pytest
import trustme

from connector.cms.connections import Connections
from connector.cms.http import Pool
from connector.cms.outbound import Outbound, Proxy
from connector.errors import ConfigError

CDN = "https://cdn.example.com"
PROXY = Proxy("HTTPS_PROXY", "http://proxy.example.com:3128", "ann", "secret")


def pool(among: Connections, url: str = CDN, *, proxy: Proxy | None = None, ca: Path | None = None) -> Pool:
    """Return the pool for a host, with the environment's settings empty."""
    return among.pool(url, proxy=proxy, ca=ca, outbound=Outbound())


def authority(path: Path) -> Path:
    """Write the certificate of a new authority to a file."""
    path.write_bytes(trustme.CA().cert_pem.bytes())
    return path


def test_streams_of_one_host_share_its_connections() -> None:
    """Whatever the paths of their requests, and however the host is spelt; a second load of certificates is spared."""
    among = Connections()
    first = pool(among)
    assert pool(among, f"{CDN}/spaces/one/environments/master") is first
    assert pool(among, "https://CDN.example.com/spaces/two") is first


def test_nothing_is_shared_where_requests_would_go_another_way(tmp_path: Path) -> None:
    """Another host, scheme or port; another proxy, or another password of it; other certificates."""
    among, ca = Connections(), authority(tmp_path / "ca.pem")
    ways = [
        pool(among),
        pool(among, "https://other.example.com"),
        pool(among, "http://cdn.example.com"),
        pool(among, f"{CDN}:8443"),
        pool(among, proxy=PROXY),
        pool(among, proxy=Proxy(PROXY.origin, PROXY.url, PROXY.user, "another secret")),
        pool(among, ca=ca),
        pool(among, ca=authority(tmp_path / "other.pem")),
    ]
    assert len({id(way) for way in ways}) == len(ways)
    assert pool(among, ca=ca) is ways[6]


def test_changed_certificates_are_loaded_when_a_source_is_opened_next(tmp_path: Path) -> None:
    """A file that was replaced, as a mounted secret is: what was opened before keeps what it has."""
    among, ca = Connections(), authority(tmp_path / "ca.pem")
    before = pool(among, ca=ca)
    authority(tmp_path / "new.pem").replace(ca)
    after = pool(among, ca=ca)
    assert after is not before
    assert pool(among, ca=ca) is after


def test_a_certificate_that_was_written_over_in_its_folder_is_noticed(tmp_path: Path) -> None:
    """The folder itself does not change thereby."""
    among, ca = Connections(), authority(tmp_path / "ca.pem")
    outbound = Outbound(ca_folders=str(tmp_path))
    before = among.pool(CDN, proxy=None, ca=None, outbound=outbound)
    assert among.pool(CDN, proxy=None, ca=None, outbound=outbound) is before
    ca.write_bytes(ca.read_bytes() + b"\n")
    assert among.pool(CDN, proxy=None, ca=None, outbound=outbound) is not before


def test_a_file_that_cannot_be_loaded_is_refused_each_time_and_used_once_it_can(tmp_path: Path) -> None:
    """What failed is not remembered."""
    among, ca = Connections(), tmp_path / "ca.pem"
    for _ in range(2):
        with pytest.raises(ConfigError, match="ca"):
            pool(among, ca=ca)
    authority(ca)
    assert pool(among, ca=ca) is pool(among, ca=ca)


def test_what_nobody_uses_is_let_go() -> None:
    """Else each change of certificates would leave a pool behind for good."""
    among = Connections()
    kept = pool(among)
    pool(among, "https://other.example.com")
    assert among.count() == 1
    assert pool(among) is kept
