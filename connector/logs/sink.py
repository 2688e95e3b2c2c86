"""Where log lines go: a separate thread writes them, so that a line that cannot be written delays nobody."""

import os
import queue
import threading
from collections.abc import Callable
from typing import Final, TextIO

from connector.errors import starting_threads

_MAX_QUEUED: Final = 10_000
_MAX_BATCH: Final = 200


class Sink:
    """Writes lines to a stream, in order. Never raises, never waits.

    A line that cannot be written (no space left, nobody reading, a closed stream), or finds no room because the reader
    does not read, is lost and counted in `lost`. The line that `notice` makes of their number precedes the next line
    that can be written. A stream without a file behind it is written to at once.
    """

    def __init__(self, stream: TextIO | None, notice: Callable[[int], str]) -> None:
        self.lost = 0
        self._stream = stream
        self._notice = notice
        self._told = 0
        self._torn = False
        self._descriptor = _descriptor(stream)
        self._lines: queue.Queue[str | threading.Event] = queue.Queue(_MAX_QUEUED)
        self._lock = threading.RLock()
        if self._descriptor is not None:
            with starting_threads():
                threading.Thread(target=self._run, name="log", daemon=True).start()

    def line(self, text: str) -> None:
        """Write one line, or lose it."""
        if self._descriptor is None:
            with self._lock:
                self._write([text])
            return
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self.lose()

    def lose(self, lines: int = 1) -> None:
        """Count lines that could not be written, or could not even be made."""
        with self._lock:
            self.lost += lines

    def flush(self, timeout: float) -> None:
        """Wait at most `timeout` seconds until everything so far is written or lost."""
        done = threading.Event()
        if self._descriptor is not None:
            try:
                self._lines.put(done, timeout=timeout)
            except queue.Full:
                return
            done.wait(timeout)

    def _run(self) -> None:
        while True:
            found = self._lines.get()
            lines: list[str] = []
            waiting: list[threading.Event] = []
            while True:
                (waiting if isinstance(found, threading.Event) else lines).append(found)  # type: ignore[arg-type]  # by its type
                if waiting or len(lines) >= _MAX_BATCH:
                    break
                try:
                    found = self._lines.get_nowait()
                except queue.Empty:
                    break
            self._write(lines)
            for each in waiting:
                each.set()

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        missing = self.lost - self._told
        told = [self._notice(missing)] if missing else []
        try:
            self._put("".join(f"{line}\n" for line in (*told, *lines)))
        except Exception:  # noqa: BLE001  a full disk, a closed stream, no memory: the next line may be written again
            self.lose(len(lines))
        else:
            self._told += missing

    def _put(self, text: str) -> None:
        if self._descriptor is None:
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
            return
        data = memoryview((("\n" if self._torn else "") + text).encode("utf-8", "backslashreplace"))
        while data:
            written = os.write(self._descriptor, data)
            data = data[written:]
            self._torn = bool(data)


def _descriptor(stream: TextIO | None) -> int | None:
    """Return the file descriptor that a stream writes to directly; None if a live display has wrapped it."""
    try:
        return stream.fileno() if stream is not None and type(stream).__module__ in ("_io", "io") else None
    except (OSError, ValueError):
        return None
