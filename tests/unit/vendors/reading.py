"""What a vendor makes of an answer: the one change in it, or the error that it means."""

import httpx
import pytest

from connector.cms.vendor import Vendor
from connector.errors import ConnectorError
from connector.model.change import Change
from connector.model.checkpoint import Position
from connector.model.page import SyncPage
from tests.values import page_of


def only(page: SyncPage) -> Change:
    """Return the one change of a page without dead letters."""
    (change,) = page.changes
    assert not page.dead_letters
    return change


def raised(vendor: Vendor, response: httpx.Response, after: Position) -> ConnectorError:
    """Return what reading a response raises."""
    with pytest.raises(ConnectorError) as caught:
        page_of(vendor, response, after)
    return caught.value
