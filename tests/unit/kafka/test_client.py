"""What each error code of Kafka and its client means: what we do, and what an operator is told to do."""

import re

import pytest
from confluent_kafka import KafkaError

from connector.errors import BrokerFatal, BrokerUnavailable, ConnectorError
from connector.kafka.client import unavailable

CODES = {
    name: code for name in dir(KafkaError) if name.isupper() and isinstance(code := getattr(KafkaError, name), int)
}
LOGINS = {
    "ILLEGAL_SASL_STATE",
    "SASL_AUTHENTICATION_FAILED",
    "UNSUPPORTED_SASL_MECHANISM",
    "_AUTHENTICATION",
}
TOKENS = {name for name in CODES if name.startswith("DELEGATION_TOKEN_")}
RIGHTS = {
    "CLUSTER_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "TOPIC_AUTHORIZATION_FAILED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
}
ABOUT_CREDENTIALS = re.compile(r"credential|password|username|sasl|\bACL|\btoken|\ballow [A-Z]", re.IGNORECASE)

# What trying again does not change: somebody has to correct something.
FOR_GOOD = {
    "_SSL": "ssl.ca.location",
    "_INVALID_ARG": "[kafka] client",
    "_UNSUPPORTED_FEATURE": "3.6",
    "UNSUPPORTED_VERSION": "3.6",
    "POLICY_VIOLATION": "policy",
    "TOPIC_EXCEPTION": "prefix",
    "INVALID_PARTITIONS": "partitions",
    "INVALID_REPLICATION_FACTOR": "replication_factor",
    "INVALID_CONFIG": "topic_config",
    "INVALID_TRANSACTION_TIMEOUT": "transaction.max.timeout.ms",
    "INVALID_SESSION_TIMEOUT": "session.timeout.ms",
    "INCONSISTENT_GROUP_PROTOCOL": "group",
    "MSG_SIZE_TOO_LARGE": "max_message_bytes",
    "RECORD_LIST_TOO_LARGE": "segment.bytes",
    "UNSUPPORTED_COMPRESSION_TYPE": "compression.type",
    **dict.fromkeys(sorted(RIGHTS), "contentwire check"),
    **dict.fromkeys(sorted(LOGINS), "[kafka] client"),
    **dict.fromkeys(sorted(TOKENS), "token"),
}
# What passes by itself, or once a machine works again: never a reason to stop.
PASSING = {
    "INVALID_TIMESTAMP": "clock",
    "INVALID_RECORD": "clock",
    "KAFKA_STORAGE_ERROR": "disk",
    "NOT_ENOUGH_REPLICAS": "broker",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": "broker",
    "THROTTLING_QUOTA_EXCEEDED": "quota",
    "COORDINATOR_NOT_AVAILABLE": "internal topics",
    "LEADER_NOT_AVAILABLE": "broker",
    "_RESOLVE": "bootstrap_servers",
    "_TRANSPORT": "bootstrap_servers",
    "_ALL_BROKERS_DOWN": "bootstrap_servers",
    "_TIMED_OUT": "bootstrap_servers",
    "_CRIT_SYS_RESOURCE": "open files",
    "NOT_COORDINATOR": "",
    "REBALANCE_IN_PROGRESS": "",
    "CONCURRENT_TRANSACTIONS": "",
    "UNKNOWN_TOPIC_OR_PART": "",
}


def meaning(name: str) -> ConnectorError:
    """Return what the error with this name means."""
    return unavailable("trying", KafkaError(CODES[name]))


@pytest.mark.parametrize("name", CODES)
def test_every_code_has_a_remedy_and_a_fitting_hint(name: str) -> None:
    """Each is a refusal with a hint, or may pass; only errors about credentials and rights mention them."""
    found = meaning(name)
    assert isinstance(found, BrokerFatal | BrokerUnavailable)
    assert name in str(found)
    assert found.hint or isinstance(found, BrokerUnavailable)
    assert bool(ABOUT_CREDENTIALS.search(found.hint)) == (name in LOGINS | TOKENS | RIGHTS)


@pytest.mark.parametrize(("name", "expected"), FOR_GOOD.items(), ids=FOR_GOOD)
def test_a_refusal_stops_the_stream_and_says_what_to_correct(name: str, expected: str) -> None:
    """The hint names the setting, the right or the version that the refusal is about."""
    found = meaning(name)
    assert found.remedy == "stop_stream"
    assert expected in found.hint


@pytest.mark.parametrize(("name", "expected"), PASSING.items(), ids=PASSING)
def test_what_may_pass_is_tried_again(name: str, expected: str) -> None:
    """A full disk, a wrong clock, a broker that is down: these get fixed without an operator here."""
    found = meaning(name)
    assert found.remedy == "retry"
    assert expected in found.hint
    assert bool(found.hint) == bool(expected)


@pytest.mark.parametrize("right", sorted(RIGHTS))
def test_a_missing_right_names_its_resource(right: str) -> None:
    """The hint says on what a right must be granted, not only that something is forbidden."""
    about = {"TOPIC": "DescribeConfigs", "GROUP": ".connectors", "CLUSTER": "cluster", "TRANSACTIONAL": "transactional"}
    assert about[right.partition("_")[0]] in meaning(right).hint
