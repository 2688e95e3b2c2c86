"""Fetches a whole content model: one answer after the other, bounded in number and size. Never retries by itself."""

import threading
from collections.abc import Iterator
from typing import Final

from connector.cms.content_model import gather
from connector.cms.source import Source
from connector.errors import SourceUnavailable, WalkBroken
from connector.model.model_page import ListedModel, ModelFrame, ModelPosition

_ANSWERS: Final = 200
_BYTES: Final = 64 * 1024 * 1024


def fetch(source: Source, *, stop: threading.Event | None = None, max_bytes: int = _BYTES) -> ListedModel:
    """Return the content model that the API lists now; an empty one if it lists none.

    Raises what `Source.send` and the vendor's `ModelReader.frame` raise; `SourceUnavailable` for a model of more than
    `max_bytes` in all, or of endless pages; `WalkBroken` if it changed meanwhile, if a position comes again, or when
    `stop` is set between two answers.
    """
    return gather(source.vendor.model, _frames(source, stop or threading.Event(), max_bytes))


def _frames(source: Source, stop: threading.Event, max_bytes: int) -> Iterator[ModelFrame]:
    reader, after, seen, read = source.vendor.model, None, set[ModelPosition](), 0
    for _ in range(_ANSWERS):
        request = reader.request(after)
        if request is None:
            return
        response = source.send(request)
        read += len(response.content)
        if read > max_bytes:
            raise SourceUnavailable(f"the content model has more than {max_bytes} bytes")
        with source.answered():
            frame = reader.frame(response, after)
        yield frame
        after = frame.after
        if after is None:
            return
        if after in seen:
            raise WalkBroken("the API returned the same page of the content model twice")
        if stop.is_set():
            raise WalkBroken("the stream is stopping: the content model was not read to its end")
        seen.add(after)
    raise SourceUnavailable(f"the content model has more than {_ANSWERS} pages")
