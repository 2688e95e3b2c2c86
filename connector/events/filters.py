"""What an operator's filters let through. Pure."""

from connector.events.policy import Policy
from connector.model.change import ALL_LOCALES, EntityKey


def wanted(policy: Policy, key: EntityKey, content_type: str | None) -> bool:
    """Apply the operator's filters. With a type filter, the removal of a key never indexed is of an excluded type."""
    if policy.entity_types is not None and key.entity_type not in policy.entity_types:
        return False
    if policy.locales is not None and key.locale not in policy.locales and key.locale != ALL_LOCALES:
        return False
    if policy.content_types is None or key.entity_type in ("asset", "locale"):
        return True
    return (key.id if key.entity_type == "content_type" else content_type) in policy.content_types
