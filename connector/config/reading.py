"""Reads one TOML file: finds every problem in it, and fetches the secrets it refers to. Knows no key by name."""

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from connector.config.secret import Missing, Secret
from connector.errors import ConfigError

FILE_BYTES = 1024 * 1024
SECRET_BYTES = 64 * 1024
_SHORTEST = 4  # anything shorter occurs in ordinary words, which a mask would garble

REFERENCE = '{ env = "NAME" } or { file = "PATH" }'

Table = dict[str, Any]
M = TypeVar("M", bound=BaseModel)


def parse(path: Path) -> Table:
    """Return the TOML document at `path`; raises `ConfigError` naming the file, and the line if it is known."""
    text = _text(path)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply to be a configuration") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", hint="correct the line") from error


class Reading:
    """One attempt at reading a file: continues after a problem, so that all of them can be reported at once.

    Relative paths in the file are relative to `folder`. A secret under one of the paths `unused` that cannot be read is
    not a problem, but `Missing`.
    `problems` are lines `path: what is wrong`; they never contain a secret value or a value of an unknown key.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], unused: Collection[str] = ()) -> None:
        self.folder = folder
        self.environ = environ
        self.problems: list[str] = []
        self._unused = unused

    def problem(self, path: str, text: str) -> None:
        """Record one problem."""
        self.problems.append(f"{path}: {text}")

    def known(self, table: Table, keys: Collection[str], path: str) -> Table:
        """Return the members of `table` that are in `keys`; any other is a problem that names the nearest key."""
        for key in table.keys() - set(keys):
            near = difflib.get_close_matches(key, sorted(keys), n=1)
            advice = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(keys))}"
            self.problem(join(path, key), f"unknown key; {advice}")
        return {key: value for key, value in table.items() if key in keys}

    def model(self, model: type[M], table: Any, path: str) -> M | None:
        """Return `table` as a `model`, its secrets fetched; None after any problem."""
        if not isinstance(table, dict):
            self.problem(path, f"must be a table, not {kind(table)}")
            return None
        before = len(self.problems)
        prepared = self._prepared(model, table, path)
        try:
            value = model.model_validate(prepared, context=self.folder)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                self.problem(join(path, *detail["loc"]), _sentence(detail))
        return value if len(self.problems) == before else None

    def secret(self, value: Any, path: str, *, one_line: bool = True, header: bool = False) -> SecretStr:
        """Return the secret that `value` refers to, fit for a `header` if asked; after a problem, a stand-in."""

        def fetch() -> str:
            return _usable(self._fetch(value), one_line=one_line, header=header)

        try:
            secret = fetch()
        except ValueError as error:
            if isinstance(value, dict) and any(path.startswith(f"{each}.") for each in self._unused):
                return Missing(f"{path}: {error}")
            self.problem(path, str(error))
            return SecretStr("unresolved")
        match value:
            case {"file": name}:
                return Secret(secret, origin=f"the file {self.folder / name}", fetch=fetch)
        return Secret(secret, origin=f"the environment variable {value['env']}")

    def _prepared(self, model: type[BaseModel], table: Table, path: str) -> Table:
        internal: frozenset[str] = getattr(model, "internal", frozenset())
        fields = {field.alias or name: field for name, field in model.model_fields.items() if name not in internal}
        prepared = self.known(table, fields, path)
        for key, value in prepared.items():
            types = _types(fields[key].annotation)
            nested = next((item for item in types if isinstance(item, type) and issubclass(item, BaseModel)), None)
            if SecretStr in types and not (str in types and isinstance(value, str)):
                prepared[key] = self.secret(value, join(path, key), header=True)
            elif nested and isinstance(value, dict):
                prepared[key] = self._prepared(nested, value, join(path, key))
        return prepared

    def _fetch(self, value: Any) -> str:
        match value:
            case {"env": str(name), **rest} if name and not rest:
                found = self.environ.get(name)
                if not found:
                    raise ValueError(f"the environment variable {name} is {'empty' if found == '' else 'not set'}")
                return found
            case {"file": str(name), **rest} if name and not rest:
                return _secret_file(self.folder / name)
            case str():
                raise ValueError(f"a secret is never written into the file; write {REFERENCE}")
        raise ValueError(f"must be {REFERENCE}")


def join(path: str, *parts: str | int) -> str:
    """Return `path` extended by keys and indexes, each key quoted if TOML requires it."""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            key = part if part.replace("_", "a").replace("-", "a").isalnum() else f'"{part}"'
            path = f"{path}.{key}" if path else key
    return path


def kind(value: Any) -> str:
    """Return what TOML calls the type of `value`."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}", hint="`contentwire init` writes a sample") from error
    if len(data) > FILE_BYTES:
        raise ConfigError(f"{path}: larger than {FILE_BYTES} bytes; this is not a configuration")
    try:
        # Editors on Windows put a byte order mark in front, which TOML does not know.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: not UTF-8 (at line {line})", hint="save the file as UTF-8") from error


def _secret_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > SECRET_BYTES:
        raise ValueError(f"{path} is larger than {SECRET_BYTES} bytes; this is not a secret")
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        # Not chained: the error carries the bytes of the secret.
        raise ValueError(f"{path} is not UTF-8") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _usable(secret: str, *, one_line: bool, header: bool) -> str:
    if len(secret) < _SHORTEST:
        raise ValueError(f"the secret has fewer than {_SHORTEST} characters: it could not be hidden in any text")
    if header and secret != secret.strip():
        raise ValueError("the secret begins or ends with whitespace, which no HTTP header preserves")
    if one_line and not (secret.isascii() and secret.isprintable()):
        raise ValueError("the secret must be one line of printable ASCII")
    return secret


def _types(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) or (annotation,)


def _sentence(detail: ErrorDetails) -> str:
    value = detail["input"]
    match detail["type"]:
        case "missing":
            return "is required"
        case "value_error" | "assertion_error":
            return str(detail["ctx"]["error"])
        case _ if isinstance(value, dict) and value.keys() in ({"env"}, {"file"}):
            return "is not a secret: write the value itself"
    found = repr(value) if detail["type"] == "literal_error" or isinstance(value, int | float) else kind(value)
    return f"{detail['msg'].replace('Input should', 'must')}, not {found}"
