"""A real Kafka and a real schema registry on any machine, from Python packages alone; shared by the demo and the tests.

A leaf: nothing of the delivery path imports it.
"""
