"""Unit tests of `connector/kafka/`: the Kafka side, without a broker."""
