"""What vendors share: where requests may go, settings that do nothing, and the cursor in a URL."""

import pytest
from pydantic import SecretStr, ValidationError

from connector.cms.vendor import Remark, Settings


def settings(base_url: str | None = None, **more: object) -> Settings:
    """Return the settings of a vendor that adds none."""
    return Settings.model_validate({"token": SecretStr("tok-secret"), "base_url": base_url, **more})


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://cms.example", "https://cms.example"),
        ("https://cms.example/", "https://cms.example"),
        ("https://cms.example:8443/gate/way//", "https://cms.example:8443/gate/way"),
        ("HTTPS://cms.example", "https://cms.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("http://localhost", "http://localhost"),
        (None, None),
    ],
)
def test_a_base_url_is_scheme_host_and_the_path_of_a_gateway(written: str | None, used: str | None) -> None:
    """A vendor's own path follows it, so it ends without a slash."""
    assert settings(written).base_url == used


@pytest.mark.parametrize(
    "written",
    [
        "cms.example",
        "ftp://cms.example",
        "https://",
        "https://cms.example?x=1",
        "https://cms.example#x",
        "https://user:pass@cms.example",
        "https://cms.example:port",
        "",
    ],
)
def test_a_base_url_with_anything_else_is_refused(written: str) -> None:
    """No part may carry a credential, or be lost when a path is appended."""
    with pytest.raises(ValidationError, match="base_url must be") as caught:
        settings(written)
    assert "pass" not in caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("host", ["cms.example", "127.evil.example", "10.0.0.1", "localhost.example", "[fd00::1]"])
def test_a_token_travels_unencrypted_only_on_loopback(host: str) -> None:
    """Elsewhere an operator has to allow it."""
    with pytest.raises(ValidationError, match="would send the token unencrypted"):
        settings(f"http://{host}")
    assert settings(f"http://{host}", allow_http=True).base_url == f"http://{host}"


def test_a_setting_without_effect_is_remarked_on() -> None:
    """`allow_http` if https is used anyway, and a region if a URL overrides it."""

    class Regional(Settings):
        region: str = "eu"

    secret = SecretStr("tok-secret")
    plain = Regional(token=secret, base_url="http://cms.example", allow_http=True)
    assert list(plain.unused()) == []
    both = Regional(token=secret, base_url="https://cms.example", allow_http=True, region="us")
    assert [remark.setting for remark in both.unused()] == ["region", "allow_http"]
    assert [remark.setting for remark in Regional(token=secret, region="us").unused()] == []


def test_a_remark_is_about_lost_deletes_unless_it_says_otherwise() -> None:
    """The usual remedy need not be repeated by every vendor."""
    assert "every delete" in Remark("api_filter", "withholds deletes").hint


def test_settings_show_no_token() -> None:
    """Wherever they are printed."""
    assert "tok-secret" not in repr(settings()) + str(settings())
