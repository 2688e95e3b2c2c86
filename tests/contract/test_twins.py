"""Every vendor has a simulator, and the simulator knows how to connect to it: tests name no vendor's settings."""

import pytest

from connector.simulator import Simulator, connection
from connector.simulator.front_end import find_all
from connector.vendors import find, names
from tests.cms import vendor


def test_vendors_and_simulators_are_the_same() -> None:
    """Whoever adds one is reminded of the other."""
    assert set(find_all()) == set(names()) == set(Simulator(entries=1).vendors)


@pytest.mark.parametrize("name", names())
def test_a_vendor_is_found_by_its_name(name: str) -> None:
    """The module provides the class that the configuration's `vendor` names."""
    assert find(name).name == name


@pytest.mark.parametrize("name", names())
def test_a_simulated_connection_is_one_that_the_vendor_accepts(name: str) -> None:
    """Each of its settings is one of the vendor's, and nothing that the vendor requires is missing."""
    assert vendor(name).base_url == connection(name)["base_url"]
    assert connection(name, "https://cms.example.com")["base_url"] == "https://cms.example.com"


def test_an_unknown_vendor_has_no_connection() -> None:
    """The error names the known ones."""
    with pytest.raises(LookupError, match=", ".join(names())):
        connection("dreamcms")
