"""Labels: what editors read instead of a name."""

import pytest

from connector.simulator.label import label


@pytest.mark.parametrize(
    ("name", "read"),
    [("heroImage", "Hero image"), ("hero_image", "Hero image"), ("seo", "Seo"), ("rank2Of", "Rank2 of")],
)
def test_a_name_reads_as_words(name: str, read: str) -> None:
    """However its words are joined."""
    assert label(name) == read
