"""Change data capture for headless CMSs: Sync APIs into Kafka, exactly once."""

__version__ = "0.1.0"
