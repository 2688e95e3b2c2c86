"""One module at a time, without a broker; mirrors connector/."""
