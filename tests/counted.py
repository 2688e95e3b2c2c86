"""Real Kafka clients that note what they are asked, so that tests can count it."""

from collections import Counter
from collections.abc import Callable
from typing import Any


class Counted:
    """Makes clients as `make` does. `made` counts them, and `asked` the calls of their methods, by name."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self.made = 0
        self.asked: Counter[str] = Counter()

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return a client."""
        self.made += 1
        return _Noting(self._make(*arguments, **options), self.asked)

    def since(self) -> dict[str, int]:
        """Return what was asked since the last call, by method."""
        found = dict(self.asked)
        self.asked.clear()
        return found


class _Noting:
    """A client; each call goes on to it. Nobody else holds it: it ends with this one."""

    def __init__(self, client: Any, asked: Counter[str]) -> None:
        self._client, self._asked = client, asked

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def noted(*arguments: Any, **options: Any) -> Any:
            self._asked[name] += 1
            return method(*arguments, **options)

        return noted
