"""A secret and its origin: one from a file can be read again, because operators rotate them."""

from collections.abc import Callable, Iterable

from pydantic import SecretStr

from connector.errors import ConfigError


class Secret(SecretStr):
    """The text of a secret, masked in `repr`. `origin` names where it came from: a file or an environment variable.

    `get_secret_value` returns the text as last read and does no I/O. Every holder of this object sees what `refresh`
    has read.
    """

    def __init__(self, text: str, *, origin: str, fetch: Callable[[], str] | None = None) -> None:
        super().__init__(text)
        self.origin = origin
        self._fetch = fetch

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and other.get_secret_value() == self._secret_value

    def __hash__(self) -> int:
        return hash(self._secret_value)

    @property
    def rotates(self) -> bool:
        """Whether `refresh` can find a new text: the environment is read only once, when the process starts."""
        return self._fetch is not None

    def refresh(self) -> bool:
        """Read the secret again; return whether it has changed.

        If the file cannot be used at the moment, perhaps because it is being replaced, the previous text stays.
        """
        if self._fetch is None:
            return False
        try:
            found = self._fetch()
        except ValueError:
            return False
        changed = found != self._secret_value
        self._secret_value = found
        return changed


class Missing(Secret):
    """A secret that could not be read and is not needed, as long as nobody asks for it."""

    def __init__(self, problem: str) -> None:
        super().__init__("", origin="")
        self._problem = problem

    def get_secret_value(self) -> str:
        """Raise `ConfigError`: the caller needs it."""
        raise ConfigError(self._problem, hint="this command needs the secret: correct the file or the environment")


def refreshed(secrets: Iterable[Secret]) -> bool:
    """Read every secret again that can have changed; return whether one has."""
    return sum(secret.refresh() for secret in secrets) > 0


def origins(secrets: Iterable[Secret]) -> str:
    """Return where credentials come from, and when they are read again."""
    rotating = sorted({secret.origin for secret in secrets if secret.rotates})
    fixed = sorted({secret.origin for secret in secrets if not secret.rotates})
    found = [f"{' and '.join(rotating)} is read again with every try"] if rotating else []
    found += [f"{' and '.join(fixed)} is read only at the start: restart after a change"] if fixed else []
    return "; ".join(found)
