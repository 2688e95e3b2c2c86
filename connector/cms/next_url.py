"""Reads the cursor from a response's next URL, and nothing else. Pure."""

from urllib.parse import parse_qs, urlsplit

from connector.errors import SourceUnavailable


def cursor_of(next_url: str, parameter: str) -> str:
    """Return the cursor that a response's next URL carries in `parameter`.

    Nothing else of the URL matters, as no request ever goes there: a caching proxy's body names the host behind it.
    Raises `SourceUnavailable` if it holds no usable cursor.
    """
    try:
        found = parse_qs(urlsplit(next_url).query, errors="strict").get(parameter, [])
    except ValueError:
        raise SourceUnavailable("the response's next URL cannot be read") from None
    if len(found) != 1:
        raise SourceUnavailable(
            f"the response's next URL has no single {parameter}",
            hint="find out what is between contentwire and the API: it has changed the URL",
        )
    return found[0]
