"""What following a number of connections takes, and a host that lacks it."""

import tempfile
from pathlib import Path

import pytest

from connector import limits


def test_more_connections_and_brokers_need_more_descriptors() -> None:
    """At 1,024 descriptors and one broker, 60 connections have enough and 70 do not; three brokers take more."""
    assert limits.needed(60) <= 1024 < limits.needed(70)
    assert limits.needed(60, brokers=3) > 1.5 * limits.needed(60)


def test_without_a_writable_folder_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As with a read-only root: an `OSError`, not a folder that will fail later."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OSError, match="gone"):
        limits.scratch()
