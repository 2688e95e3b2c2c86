"""Cache invalidation: a small site, a cache in front of it, and what purges its pages by tag."""
