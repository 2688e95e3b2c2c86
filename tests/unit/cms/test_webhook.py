"""Webhook calls: which are authentic, what is answered, and the id that a body gives."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from connector.cms.webhook import SECRET_HEADER, Handled, Refused, announced, by_secret, shares_secret

SECRET = SecretStr("s3cret-word")


@pytest.mark.parametrize("name", [SECRET_HEADER, SECRET_HEADER.lower(), SECRET_HEADER.upper()])
def test_a_call_with_the_secret_is_authentic(name: str) -> None:
    """Header names have no case."""
    headers = {"Content-Type": "x", name: "s3cret-word"}
    assert by_secret(headers, SECRET) is None
    assert shares_secret(headers, SECRET)


@pytest.mark.parametrize("given", ["", "s3cret", "s3cret-word ", "S3CRET-WORD", "s3cret-wörd", "s3cret-word\ud800"])
def test_a_call_with_any_other_word_is_refused(given: str) -> None:
    """Even if it is a part of it, spelt differently, or not Unicode; never an exception."""
    assert by_secret({SECRET_HEADER: given}, SECRET) == Refused("wrong")
    assert not shares_secret({SECRET_HEADER: given}, SECRET)


def test_a_call_without_the_header_is_unsigned() -> None:
    """An operator sees that the CMS sends no secret, rather than a wrong one."""
    assert by_secret({"Authorization": "s3cret-word"}, SECRET) == Refused("unsigned")


@pytest.mark.parametrize("secret", [None, SecretStr("")])
def test_without_a_secret_no_call_is_authentic(secret: SecretStr | None) -> None:
    """An empty header equals an empty secret, and proves nothing."""
    assert by_secret({SECRET_HEADER: ""}, secret) == Refused("unconfigured")
    assert not shares_secret({SECRET_HEADER: ""}, secret)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("accepted", 202),
        ("repeated", 202),
        ("handed_on", 202),
        ("undelivered", 503),
        ("unconfigured", 401),
        ("unsigned", 401),
        ("expired", 401),
        ("wrong", 401),
    ],
)
def test_the_outcome_of_a_call_decides_the_status(outcome: Any, status: int) -> None:
    """A CMS sends it again only if that helps; an unauthentic caller learns no reason."""
    assert Handled(outcome).status == status


PATHS = (("sys", "id"), ("data", "entry", "uid"), ("id",))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"sys": {"id": "e1"}, "id": "other"}, "e1"),
        ({"data": {"entry": {"uid": "e2"}}}, "e2"),
        ({"sys": {"id": 7}, "id": "e3"}, "e3"),
        ({"sys": {"id": ""}, "data": {"entry": "x"}, "id": "e4"}, "e4"),
        ({"sys": "id"}, None),
        ({"id": ["e1"]}, None),
        ([{"id": "e1"}], None),
        ("id", None),
    ],
)
def test_the_first_path_that_leads_to_a_text_gives_the_id(body: Any, found: str | None) -> None:
    """Whatever the body's shape."""
    assert announced(json.dumps(body).encode(), *PATHS) == found


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"id":"' + b"x" * 8 * 1024 * 1024 + b'"}', b'{"id":"e\\u0000"}', b"[" * 100_000]
)
def test_a_body_without_an_id_only_wakes(body: bytes) -> None:
    """Not JSON, too long, too deep, or an id that no key can carry: it raises nothing."""
    assert announced(body, ("id",)) is None
