"""Consumers of contentwire's topics. Each folder is one; none imports the connector."""
