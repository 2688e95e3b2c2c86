"""What a JVM makes of the contract: Avro for Java, and a Kafka serializer, against a real registry."""

import pytest

from connector.clock import SYSTEM
from connector.events import codec
from connector.kafka.registry import Registry
from connector.kafka.schema_ids import Schemas
from connector.model.change import EntityKey
from tests import avro_spec, java

pytestmark = pytest.mark.kafka

KEY = EntityKey("blog", "entry", "nyancat", "*")
CONFLUENT_API, OWN_API = "/apis/ccompat/v7", "/apis/registry/v3"
NAMES: list[codec.Name] = ["key", "envelope", "flat", "dead_letter"]


def test_a_schema_is_registered_as_java_prints_it() -> None:
    """Every attribute, in Java's order: a registry whose ids follow the bytes has one id for a schema."""
    paths = [str(avro_spec.SCHEMAS / f"{name}.avsc") for name in NAMES]
    assert java.run("schemas.bsh", *paths) == [codec.text(name) for name in NAMES]


def test_a_java_serializer_writes_the_keys_that_we_write(registry: str, prefix: str) -> None:
    """The same bytes, the schema's id among them, under another topic: joins by key find their partners."""
    if not registry.endswith(CONFLUENT_API):
        pytest.skip("the serializer needs Apicurio's own API")
    framing = Schemas(Registry(registry), KEY.connection, verify_every=60, clock=SYSTEM).framing(
        f"{prefix}.changes-key", "key", None
    )
    written = framing.prefix + codec.encode_key(KEY)

    own_api = registry.removesuffix(CONFLUENT_API) + OWN_API
    schema = (avro_spec.SCHEMAS / "key.avsc").read_text(encoding="utf-8")
    fields = (KEY.connection, KEY.entity_type, KEY.id, KEY.locale)
    (serialized,) = java.run("key.bsh", own_api, f"{prefix}.authors", schema, *fields)

    assert bytes.fromhex(serialized) == written
    assert f"{prefix}.authors-key" in Registry(registry).subjects()
