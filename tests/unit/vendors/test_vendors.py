"""Vendors are found by their names, each of which is a module."""

import pytest

from connector import vendors
from connector.errors import ConfigError


def test_every_name_is_found() -> None:
    """The same name identifies the vendor in events."""
    assert {name: vendors.find(name).name for name in vendors.names()} == {
        "contentful": "contentful", "contentstack": "contentstack", "weegloo": "weegloo",
    }  # fmt: skip
    assert vendors.names() == ("contentful", "contentstack", "weegloo")


@pytest.mark.parametrize("name", ["dreamcms", "", "Contentful", "contentful ", "..config", "__init__"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    """Only a vendor's module is ever imported."""
    with pytest.raises(ConfigError) as refused:
        vendors.find(name)
    assert repr(name) in str(refused.value)
    assert refused.value.hint == "known vendors: contentful, contentstack, weegloo"
