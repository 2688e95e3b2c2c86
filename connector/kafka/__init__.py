"""Kafka: one transaction per batch, state read back, ownership, topics. The only room that knows the Kafka client."""
