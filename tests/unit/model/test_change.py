"""What happened to an entity: keys without empty parts, and the clock of a change."""

import pytest

from connector.model.change import EntityKey


@pytest.mark.parametrize("place", range(4))
def test_no_part_of_a_key_is_empty(place: int) -> None:
    """An empty part could make two entities one."""
    parts = ["blog", "entry", "e1", "*"]
    parts[place] = ""
    with pytest.raises(ValueError, match="no empty part"):
        EntityKey(*parts)
