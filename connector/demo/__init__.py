"""The demo: CMSs flow into a real Kafka, through a crash, and a proof at the end."""
