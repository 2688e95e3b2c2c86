"""The tables that commands know: none without a configuration that asks for them, before Kafka is asked."""

from pathlib import Path

import pytest

from connector.commands.tables import check_tables, recorded
from connector.errors import ConfigError
from tests.unit.configured import configured


def test_a_connection_without_tables_has_none(tmp_path: Path) -> None:
    """The configuration decides: nothing is asked, and the hint says how to have some."""
    stream = configured(tmp_path)
    assert recorded(stream) == {}
    with pytest.raises(ConfigError, match="publishes no tables") as caught:
        check_tables(stream, ["post"])
    assert "tables = true" in caught.value.hint
