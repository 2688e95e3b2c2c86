"""Reading a TOML file: what editors write is accepted, what is broken is named, and secrets stay secret."""

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from connector.config import reading
from connector.config.reading import Reading
from connector.errors import ConfigError


class Inner(BaseModel):
    """A nested table."""

    password: SecretStr | None = None


class Outer(BaseModel):
    """A table."""

    token: SecretStr
    size: int = 1
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[kafka\n", "(at line 1, column 7)"),
        (b"\n\nx = [1,\n", "not valid TOML"),
        (b"x = " + b"[" * 20_000, "nested too deeply"),
        (b"x = " + b"1" * 9_000, "not valid TOML"),
        (b"[kafka]\nprefix = 'caf\xe9'\n", "not UTF-8 (at line 2)"),
        ("[kafka]".encode("utf-16"), "not UTF-8 (at line 1)"),
        (b"#" * (1024 * 1024 + 1), "larger than 1048576 bytes"),
        (b"x = 1\x00", "not valid TOML"),
    ],
)
def test_a_file_that_is_not_toml_says_where(tmp_path: Path, text: bytes, message: str) -> None:
    """A broken file is refused with its path and, if known, the line."""
    path = tmp_path / "contentwire.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        reading.parse(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A missing file and a directory give different errors, and the command that writes a sample is named."""
    with pytest.raises(ConfigError, match="No such file") as caught:
        reading.parse(tmp_path / "none.toml")
    assert "contentwire init" in caught.value.hint
    with pytest.raises(ConfigError, match="Is a directory"):
        reading.parse(tmp_path)


def test_tabs_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """What editors on any system write is accepted."""
    path = tmp_path / "contentwire.toml"
    path.write_bytes("\ufeff[kafka]\r\n\tprefix\t=\t'x'\r\n".encode())
    assert reading.parse(path) == {"kafka": {"prefix": "x"}}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("tok-literal", "a secret is never written into the file; write { env ="),
        ({"env": "UNSET"}, "the environment variable UNSET is not set"),
        ({"env": "EMPTY"}, "the environment variable EMPTY is empty"),
        ({"env": "SHORT"}, "the secret has fewer than 4 characters: it could not be hidden in any text"),
        ({"env": "MULTI"}, "the secret must be one line of printable ASCII"),
        ({"env": "A", "file": "b"}, "must be { env ="),
        ({"env": 1}, "must be { env ="),
        ({}, "must be { env ="),
        ([1], "must be { env ="),
        ({"file": "missing"}, "cannot be read: No such file or directory"),
        ({"file": "."}, "cannot be read: Is a directory"),
        ({"file": "a\0b"}, "cannot be read: embedded null byte"),
        ({"file": "empty"}, "is empty"),
        ({"file": "huge"}, "is larger than 65536 bytes"),
        ({"file": "binary"}, "is not UTF-8"),
    ],
)
def test_a_secret_that_cannot_be_fetched_is_one_problem(tmp_path: Path, value: object, problem: str) -> None:
    """A bad reference gives one line with its path; neither the value written nor the one found appears in it."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "huge").write_text("x" * 65_537)
    (tmp_path / "binary").write_bytes(b"\xff\xfe-literal")
    reading = Reading(tmp_path, {"EMPTY": "", "SHORT": "abc", "MULTI": "one\ntwo-literal"})
    assert reading.model(Outer, {"token": value}, "top") is None
    (line,) = reading.problems
    assert line.startswith("top.token: ")
    assert problem in line
    assert "literal" not in line


def test_a_secret_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    """A relative path starts at the folder; a trailing newline is not part of the secret."""
    (tmp_path / "token").write_bytes(b"from-a-file\r\n")
    outer = Reading(tmp_path, {}).model(Outer, {"token": {"file": "token"}}, "top")
    assert outer is not None
    assert outer.token.get_secret_value() == "from-a-file"


def test_nested_tables_are_read_by_the_same_rules(tmp_path: Path) -> None:
    """A nested table's secrets are fetched, and its unknown keys are named with the nearest one."""
    reading = Reading(tmp_path, {"P": "pass"})
    outer = reading.model(Outer, {"token": {"env": "P"}, "inner": {"password": {"env": "P"}}}, "top")
    assert outer is not None
    assert outer.inner == Inner(password=SecretStr("pass"))
    assert reading.model(Outer, {"token": {"env": "P"}, "inner": {"pasword": "hunter2"}}, "top") is None
    assert reading.problems == ["top.inner.pasword: unknown key; did you mean password?"]


def test_all_problems_of_a_table_are_reported(tmp_path: Path) -> None:
    """Reading continues after a problem: none hides another."""
    reading = Reading(tmp_path, {})
    assert reading.model(Outer, {"size": [], "token": "x", "zzz": 1, "inner": 5}, "top") is None
    assert {line.split(":")[0] for line in reading.problems} == {"top.size", "top.token", "top.zzz", "top.inner"}


def test_a_path_quotes_the_keys_that_toml_would_quote() -> None:
    """A path can be found again in the file by searching for its last part."""
    assert reading.join("kafka.client", "sasl.password") == 'kafka.client."sasl.password"'
    assert reading.join("connections.my-blog", "locales", 0) == "connections.my-blog.locales[0]"
