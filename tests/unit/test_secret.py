"""Secrets in files: read again when asked, and never lost to a file that is just being replaced."""

from pathlib import Path

import pytest

from connector.configfile import Reading
from connector.secret import Secret


def referred(folder: Path, value: dict[str, str]) -> Secret:
    """Return a secret as a configuration in `folder` refers to it."""
    reading = Reading(folder, {"T": "from-env"})
    found = reading.secret(value, "token")
    assert reading.problems == []
    assert isinstance(found, Secret)
    return found


def test_a_rotated_file_is_seen_by_everybody_who_holds_the_secret(tmp_path: Path) -> None:
    """The text changes in place, once, and is masked as before."""
    file = tmp_path / "tok"
    file.write_text("first\n")
    held = referred(tmp_path, {"file": "tok"})
    assert (held.rotates, held.refresh(), held.get_secret_value()) == (True, False, "first")
    file.write_text("second\n")
    assert held.get_secret_value() == "first"
    assert (held.refresh(), held.refresh()) == (True, False)
    assert held.get_secret_value() == "second"
    assert "second" not in repr(held)
    assert "tok" in held.origin


@pytest.mark.parametrize("content", [None, b"", b"two\nlines", b"\xff"])
def test_a_file_that_cannot_be_used_leaves_the_former_secret(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, of two lines or no text: whoever replaces a file may be at it right now."""
    file = tmp_path / "tok"
    file.write_text("first")
    held = referred(tmp_path, {"file": "tok"})
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert (held.refresh(), held.get_secret_value()) == (False, "first")


def test_an_environment_is_read_once(tmp_path: Path) -> None:
    """It names its variable, and cannot find another text."""
    held = referred(tmp_path, {"env": "T"})
    assert (held.rotates, held.refresh(), held.get_secret_value()) == (False, False, "from-env")
    assert held.origin == "the environment variable T"
