"""What a vendor makes of an answer: the one change or part of a model in it, or the error that it means."""

import httpx
import pytest

from connector.cms.content_model import ModelReader
from connector.cms.vendor import Vendor
from connector.errors import ConnectorError
from connector.model.change import Change, DeadLetter
from connector.model.checkpoint import Position
from connector.model.content_model import ContentType, Locale
from connector.model.model_page import ModelFrame, ModelKind, ModelPart
from connector.model.page import SyncPage
from tests.values import page_of


def only(page: SyncPage) -> Change:
    """Return the one change of a page without dead letters."""
    (change,) = page.changes
    assert not page.dead_letters
    return change


def only_part(reader: ModelReader, kind: ModelKind, raw: bytes) -> ModelPart:
    """Return the part of a content model that an item becomes."""
    page = reader.read(ModelFrame(kind, [raw]))
    (part,) = page.parts
    assert not page.unread
    return part


def only_type(reader: ModelReader, raw: bytes) -> ContentType:
    """Return the content type that an item describes."""
    content = only_part(reader, "content_type", raw).content
    assert isinstance(content, ContentType)
    return content


def only_locale(reader: ModelReader, raw: bytes) -> Locale:
    """Return the locale that an item describes."""
    content = only_part(reader, "locale", raw).content
    assert isinstance(content, Locale)
    return content


def only_unread(reader: ModelReader, kind: ModelKind, raw: bytes) -> DeadLetter:
    """Return the dead letter that an item of a content model becomes."""
    page = reader.read(ModelFrame(kind, [raw]))
    (letter,) = page.unread
    assert not page.parts
    assert (letter.raw, letter.item_type) == (raw, kind)
    return letter


def raised(vendor: Vendor, response: httpx.Response, after: Position) -> ConnectorError:
    """Return what reading a response raises."""
    with pytest.raises(ConnectorError) as caught:
        page_of(vendor, response, after)
    return caught.value
