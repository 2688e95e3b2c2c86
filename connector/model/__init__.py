"""The values that travel along the wire, and how they are read from text. Pure."""
