"""Cache invalidation: tells a CDN which tags to purge."""
