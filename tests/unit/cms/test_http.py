"""Whose certificates are trusted, and what is advised if a request fails. The exchange itself is integration."""

import errno
import os
import ssl
from pathlib import Path

import httpx
import pytest
import trustme

from connector.cms.http import advice, certificates
from connector.cms.outbound import Outbound
from connector.errors import ConfigError


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Path:
    """Give a file with the certificate of an authority."""
    path = tmp_path / "ca.pem"
    path.write_bytes(trustme.CA().cert_pem.bytes())
    return path


def test_only_the_named_authority_is_trusted(authority: Path) -> None:
    """And not the usual ones; whether the setting or the environment's variable names it."""
    for context in (certificates(authority, Outbound()), certificates(None, Outbound(ca_file=authority))):
        assert context.cert_store_stats()["x509_ca"] == 1
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_the_setting_comes_before_the_environment(authority: Path, tmp_path: Path) -> None:
    """Then what the environment says is not even looked at."""
    gone = tmp_path / "gone"
    assert certificates(authority, Outbound(ca_file=gone)).cert_store_stats()["x509_ca"] == 1


def test_the_usual_authorities_are_trusted_if_none_is_named(tmp_path: Path) -> None:
    """A folder in the environment replaces them."""
    assert certificates(None, Outbound()).cert_store_stats()["x509_ca"] > 10
    assert certificates(None, Outbound(ca_folders=str(tmp_path))).cert_store_stats()["x509_ca"] == 0


@pytest.mark.parametrize(
    ("named", "outbound", "begins"),
    [
        ("gone.pem", Outbound(), "ca: "),
        (".", Outbound(), "ca: "),
        ("empty.pem", Outbound(), "ca: "),
        (None, Outbound(ca_file=Path("gone.pem")), "SSL_CERT_FILE: "),
        (None, Outbound(ca_file=Path("empty.pem")), "SSL_CERT_FILE: "),
        (None, Outbound(ca_folders=f".{os.pathsep}gone"), "SSL_CERT_DIR: "),
    ],
)
def test_unreadable_certificates_are_blamed_on_their_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None, outbound: Outbound, begins: str
) -> None:
    """The error begins with the setting or variable, and the hint says what to name there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ConfigError) as caught:
        certificates(Path(named) if named else None, outbound)
    assert str(caught.value).startswith(begins)
    assert "PEM certificates" in caught.value.hint


def caused(error: BaseException, cause: BaseException) -> BaseException:
    """Return an error with a cause."""
    error.__cause__ = cause
    return error


def test_advice_fits_what_made_a_request_fail() -> None:
    """A proxy, or a certificate somewhere among its causes; else it is the caller's."""
    assert "proxy" in advice(httpx.ProxyError("407"), "otherwise")
    below = caused(OSError(errno.EPROTO, "handshake"), ssl.SSLCertVerificationError(1, "self-signed"))
    assert "SSL_CERT_FILE" in advice(caused(httpx.ConnectError("no"), below), "otherwise")
    assert advice(httpx.ConnectError("no"), "otherwise") == "otherwise"
    assert advice(caused(httpx.ConnectError("no"), ssl.SSLError(1, "version")), "otherwise") == "otherwise"
