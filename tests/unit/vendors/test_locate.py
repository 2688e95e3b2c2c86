"""Where an entity can be fetched, for events that are too large to carry it."""

from typing import Any

import pytest
from pydantic import SecretStr

from connector import vendors
from connector.model.change import EntityKey

SETTINGS: dict[str, dict[str, Any]] = {
    "contentful": {"space": "s1", "environment": "staging", "region": "eu"},
    "contentstack": {"api_key": SecretStr("key-secret"), "environment": "production", "region": "eu", "branch": "b1"},
    "weegloo": {"space": "s1"},
}
URLS = [
    ("contentful", "entry", "*", "https://cdn.eu.contentful.com/spaces/s1/environments/staging/entries/i%2F1%3F"),
    ("contentful", "asset", "*", "https://cdn.eu.contentful.com/spaces/s1/environments/staging/assets/i%2F1%3F"),
    (
        "contentful",
        "content_type",
        "*",
        "https://cdn.eu.contentful.com/spaces/s1/environments/staging/content_types/i%2F1%3F",
    ),
    ("contentful", "locale", "*", "https://cdn.eu.contentful.com/spaces/s1/environments/staging/locales"),
    (
        "contentstack",
        "entry",
        "de-de",
        "https://eu-cdn.contentstack.com/v3/content_types/post/entries/i%2F1%3F?environment=production&locale=de-de",
    ),
    ("contentstack", "asset", "*", "https://eu-cdn.contentstack.com/v3/assets/i%2F1%3F?environment=production"),
    (
        "contentstack",
        "content_type",
        "*",
        "https://eu-cdn.contentstack.com/v3/content_types/i%2F1%3F?environment=production",
    ),
    ("contentstack", "locale", "*", "https://eu-cdn.contentstack.com/v3/locales?environment=production"),
    ("weegloo", "entry", "*", "https://cda.weegloo.com/v1/spaces/s1/contents/i%2F1%3F"),
    ("weegloo", "asset", "*", "https://cda.weegloo.com/v1/spaces/s1/medias/i%2F1%3F"),
    ("weegloo", "content_type", "*", "https://cda.weegloo.com/v1/spaces/s1/content-types/i%2F1%3F"),
    ("weegloo", "locale", "*", "https://cda.weegloo.com/v1/spaces/s1/locales"),
]


@pytest.mark.parametrize(("name", "entity_type", "locale", "url"), URLS)
def test_an_entity_has_a_url_of_the_delivery_api(name: str, entity_type: str, locale: str, url: str) -> None:
    """For its region, space and environment, whatever characters its id has, and without credentials."""
    vendor = vendors.find(name)
    settings = vendor.settings_type.model_validate({"token": SecretStr("token-secret"), **SETTINGS[name]})
    located = vendor("blog", settings).locate(EntityKey("blog", entity_type, "i/1?", locale), "post")
    assert located == url
    assert "secret" not in located
