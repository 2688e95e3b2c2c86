"""The guarantees under failure: real processes, a real Kafka, and everything that may go wrong between them."""
