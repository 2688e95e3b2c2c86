"""What the front ends share: they are found by name, and a connection to one is the same in every simulator."""

import pytest

from connector import vendors
from connector.simulator.front_end import connection, find_all


def test_every_vendor_has_a_front_end() -> None:
    """This fails if a new vendor cannot be simulated."""
    assert tuple(sorted(find_all())) == vendors.names()


@pytest.mark.parametrize("vendor", sorted(find_all()))
def test_a_connection_is_what_a_configuration_needs(vendor: str) -> None:
    """The vendor, its URL and its credentials, as text; nothing that its settings do not know."""
    found = connection(vendor, "http://127.0.0.1:7")
    assert (found["vendor"], found["base_url"]) == (vendor, "http://127.0.0.1:7")
    assert all(found.values())
    assert {*found} - {"vendor"} <= set(vendors.find(vendor).settings_type.model_fields)


def test_an_unknown_vendor_is_named_with_those_there_are() -> None:
    """Before anything is served."""
    with pytest.raises(LookupError, match=r"dreamcms.*contentful, contentstack, weegloo"):
        connection("dreamcms")
