"""Configuration files as text: what they load to, or what is wrong with them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import vendors
from connector.config import load as loader
from connector.config.settings import Config
from connector.errors import ConfigError
from tests.unit.config.acme import ACME, ENVIRON, Load, Problems


@pytest.fixture
def _acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a vendor called acme as a fourth vendor would be: as one more module."""
    folder = tmp_path / "vendors"
    folder.mkdir()
    (folder / "acme.py").write_text(ACME)
    monkeypatch.setattr(vendors, "__path__", [*vendors.__path__, str(folder)])
    yield
    sys.modules.pop("connector.vendors.acme", None)


@pytest.fixture
def load(tmp_path: Path, _acme: None) -> Load:
    """Load a text or bytes as a configuration file."""

    def run(text: str | bytes, environ: dict[str, str] = ENVIRON) -> Config:
        path = tmp_path / "contentwire.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return loader.load(path, environ)

    return run


@pytest.fixture
def problems(load: Load) -> Problems:
    """Return the problems of a text that cannot be used."""

    def run(text: str) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        return caught.value.problems

    return run
