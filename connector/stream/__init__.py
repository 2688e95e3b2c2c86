"""One stream, followed. Knows neither Kafka nor a vendor, and never the configuration."""
