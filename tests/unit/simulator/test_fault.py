"""Scripted faults: which requests they hit, how often, and how they change a response."""

import gzip
import zlib

import pytest

from connector.simulator.fault import Fault, Script, distorted_response
from connector.simulator.message import Response

RESPONSE = Response(200, {"X": "1"}, b'{"items":[1]}')


def script(*faults: Fault) -> Script:
    """Return a script of these faults."""
    script = Script()
    script.waiting.extend(faults)
    return script


@pytest.mark.parametrize(
    ("on", "hit"),
    [
        ("sync", ["start", "cursor"]),
        ("start", ["start"]),
        ("cursor", ["cursor"]),
        ("model", ["model"]),
        ("probe", ["probe"]),
        ("any", ["start", "cursor", "model", "probe"]),
    ],
)
def test_a_fault_concerns_the_requests_it_names(on: str, hit: list[str]) -> None:
    """No other request uses it up."""
    fault = Fault("reset", on=on)  # type: ignore[arg-type]
    kinds = ("start", "cursor", "model", "probe")
    assert [kind for kind in kinds if fault.concerns(kind)] == hit  # type: ignore[arg-type]
    assert [kind for kind in kinds if script(fault).take(kind)] == hit  # type: ignore[arg-type]


def test_a_fault_hits_its_number_of_requests_after_letting_some_pass() -> None:
    """Then it is used up."""
    scripted = script(Fault("reset", after=2, times=3))
    assert [scripted.take("start") is not None for _ in range(7)] == [False, False, True, True, True, False, False]
    assert scripted.waiting == []


def test_a_fault_may_last() -> None:
    """Until it is removed."""
    scripted = script(Fault("reset", times=None))
    assert all(scripted.take("start") for _ in range(100))


def test_faults_come_first_in_first_out() -> None:
    """One per request; a fault that concerns another kind does not hold back the next."""
    scripted = script(Fault("hang", on="probe"), Fault("reset"), Fault("html"))
    hit = [scripted.take(kind) for kind in ("cursor", "cursor", "cursor", "probe")]
    assert [fault and fault.kind for fault in hit] == ["reset", "html", None, "hang"]


def test_a_slow_answer_is_the_right_one() -> None:
    """Late."""
    slow = distorted_response(Fault("slow", delay=2.5), RESPONSE)
    assert (slow.delay, slow.body, slow.status) == (2.5, RESPONSE.body, 200)


def test_a_compressed_body_may_end_midway() -> None:
    """It is incomplete, without the end of the compressed stream."""
    broken = distorted_response(Fault("truncated_gzip"), RESPONSE)
    assert broken.headers == {"X": "1", "Content-Encoding": "gzip"}
    unpacked = zlib.decompressobj(wbits=31)
    assert RESPONSE.body != unpacked.decompress(broken.body)
    assert not unpacked.eof


def test_a_bomb_is_small_until_it_is_unpacked() -> None:
    """Unpacked, it has the requested size, and is the same JSON."""
    bomb = distorted_response(Fault("gzip_bomb", size=8 * 1024 * 1024), RESPONSE)
    unpacked = gzip.decompress(bomb.body)
    assert len(bomb.body) < 100_000
    assert len(unpacked) == 8 * 1024 * 1024 + len(RESPONSE.body)
    assert unpacked.replace(b" ", b"") == RESPONSE.body


def test_an_oversized_page_has_its_size() -> None:
    """Uncompressed, and the same JSON; a page that is already larger stays as it is."""
    padded = distorted_response(Fault("oversized_page", size=5000), RESPONSE)
    assert (len(padded.body), padded.body.replace(b" ", b"")) == (5000, RESPONSE.body)
    assert distorted_response(Fault("oversized_page", size=1), RESPONSE).body == RESPONSE.body


def test_other_faults_leave_a_response_as_it_is() -> None:
    """They act on the request or the page instead."""
    assert distorted_response(Fault("duplicate_page"), RESPONSE) == RESPONSE
