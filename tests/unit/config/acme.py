"""A fourth vendor and the smallest configuration that follows it, for tests of files and mistakes in them."""

from collections.abc import Callable

from connector.config.settings import Config

ACME = '''
"""A fourth vendor: one new file."""
from pydantic import SecretStr
from connector.cms.vendor import Settings

class AcmeSettings(Settings):
    space: str
    api_key: SecretStr | None = None

class Acme:
    name = "acme"
    settings_type = AcmeSettings
    localized = True
    entity_types = frozenset(("entry", "asset"))

VENDOR = Acme
'''
KAFKA = '[kafka]\nbootstrap_servers = "localhost:9092"\n'
BLOG = '[connections.blog]\nvendor = "acme"\nspace = "s1"\ntoken = { env = "TOKEN" }\n'
ENVIRON = {"TOKEN": "tok-1234-secret", "KAFKA_PASSWORD": "pa$$ word"}

Load = Callable[..., Config]
Problems = Callable[[str], tuple[str, ...]]
