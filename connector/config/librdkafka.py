"""Which librdkafka settings an operator may set in `[kafka] client`, and why not the others. Pure."""

_MEMBERSHIP = "which process owns a stream is decided by group membership, which contentwire configures"
_EXACTLY_ONCE = "exactly-once delivery needs an idempotent producer with full acknowledgement"
_POSITION = "a position is never committed to the group; the checkpoint is the position"
_READ_BACK = "the state is read back completely, but only its committed records"
_PARTITIONS = "keys are partitioned as Java producers do (murmur2_random), so that consumers can join on them"
_LOG = "a lost coordinator connection is recognised in librdkafka's log"
_TIMING = "whether a commit was clean depends on it; set transaction_timeout instead"
_TLS = "a Java setting; librdkafka reads PEM files: ssl.ca.location, ssl.certificate.location, ssl.key.location"

_OWNED = {
    "bootstrap.servers": "set bootstrap_servers instead",
    "metadata.broker.list": "set bootstrap_servers instead",
    "transactional.id": "it is <prefix>.<connection>: the fence between two owners depends on it",
    "transaction.timeout.ms": "set transaction_timeout instead",
    "message.max.bytes": "set max_message_bytes instead",
    "max.request.size": "set max_message_bytes instead",
    "partitioner": _PARTITIONS,
    "partitioner.class": _PARTITIONS,
    "allow.auto.create.topics": "topics are created with the settings of the message contract",
    "sasl.jaas.config": "a Java setting; write sasl.mechanism, sasl.username and sasl.password",
    "default_topic_conf": "write the setting itself",
    **dict.fromkeys(("message.timeout.ms", "delivery.timeout.ms", "socket.timeout.ms", "request.timeout.ms"), _TIMING),
    **dict.fromkeys(
        (
            "enable.idempotence",
            "acks",
            "request.required.acks",
            "retries",
            "message.send.max.retries",
            "max.in.flight",
            "max.in.flight.requests.per.connection",
            "queuing.strategy",
            "enable.gapless.guarantee",
        ),
        _EXACTLY_ONCE,
    ),
    **dict.fromkeys(
        (
            "group.id",
            "group.instance.id",
            "group.protocol",
            "group.protocol.type",
            "group.remote.assignor",
            "partition.assignment.strategy",
        ),
        _MEMBERSHIP,
    ),
    **dict.fromkeys(
        (
            "enable.auto.commit",
            "auto.commit.enable",
            "auto.commit.interval.ms",
            "enable.auto.offset.store",
            "offset.store.method",
            "offset.store.path",
            "offset.store.sync.interval.ms",
        ),
        _POSITION,
    ),
    **dict.fromkeys(("auto.offset.reset", "isolation.level", "enable.partition.eof"), _READ_BACK),
    **dict.fromkeys(
        (
            "logger",
            "log_level",
            "log.queue",
            "log.thread.name",
            "log.connection.close",
            "statistics.interval.ms",
            "enabled_events",
        ),
        _LOG,
    ),
}
_OWNED_ENDINGS = {
    "_cb": "a function cannot be written in a file",
    "serializer": "a Java setting; keys and values are Avro, as the message contract says",
    "truststore.location": _TLS,
    "truststore.password": _TLS,
    "truststore.type": _TLS,
    "keystore.type": _TLS,
}
_SECRET_ENDINGS = ("password", "passphrase", "secret", "key.pem")


def refusal(name: str) -> str | None:
    """Return why an operator may not set the client setting `name`, or None if they may."""
    if name in _OWNED:
        return _OWNED[name]
    return next((reason for ending, reason in _OWNED_ENDINGS.items() if name.endswith(ending)), None)


def is_secret(name: str) -> bool:
    """Return whether the value of the client setting `name` is a credential."""
    return name.endswith(_SECRET_ENDINGS)
