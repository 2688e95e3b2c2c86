"""Vendors are found by their names, each of which is a module."""

import pkgutil

import pytest

from connector import vendors
from connector.errors import ConfigError


def test_every_name_is_found() -> None:
    """The same name identifies the vendor in events."""
    assert {name: vendors.find(name).name for name in vendors.names()} == {
        "contentful": "contentful", "contentstack": "contentstack", "weegloo": "weegloo",
    }  # fmt: skip
    assert vendors.names() == ("contentful", "contentstack", "weegloo")


def test_every_other_module_is_a_part_of_a_vendor() -> None:
    """Its name begins with the vendor's; it is no vendor itself."""
    modules = {module.name for module in pkgutil.iter_modules(vendors.__path__)}
    assert {name.partition("_")[0] for name in modules} == set(vendors.names())


@pytest.mark.parametrize(
    "name", ["contentful_model", "dreamcms", "", "Contentful", "contentful ", "..config", "__init__"]
)
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    """Only a vendor's module is ever imported."""
    with pytest.raises(ConfigError) as refused:
        vendors.find(name)
    assert repr(name) in str(refused.value)
    assert refused.value.hint == "known vendors: contentful, contentstack, weegloo"
