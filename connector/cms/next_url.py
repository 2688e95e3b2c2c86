"""The next URL of a response: the cursor that it carries, and nothing else of it. Pure."""

from urllib.parse import parse_qs, urlsplit

from connector.errors import SourceUnavailable


def cursor_of(next_url: str, parameter: str) -> str:
    """Return the cursor that a response's next URL carries in `parameter`.

    Nothing else of the URL matters, for no request ever goes there: a caching proxy's body names the host behind it.
    Raises `SourceUnavailable` if it holds no usable cursor.
    """
    try:
        found = parse_qs(urlsplit(next_url).query, errors="strict").get(parameter, [])
    except ValueError:
        raise SourceUnavailable("the response's next URL cannot be read") from None
    if len(found) != 1:
        raise SourceUnavailable(
            f"the response's next URL has no single {parameter}",
            hint="ask what stands between contentwire and the API: the URL has been changed on its way",
        )
    return found[0]
