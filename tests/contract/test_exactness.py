"""What a CMS delivers reaches consumers byte for byte, whatever JSON allows."""

import httpx
import msgspec

from tests.contract.conftest import Subject

ODDITIES = {
    "decimal": b"1.10",
    "huge": b"1e400",
    "wide": str(2**70).encode(),
    "negative_zero": b"-0.0",
    "doubled": b'{"a":1,"a":2,"A":3,"\\u0061":4}',
    "separators": '"line\u2028and\u2029paragraph"'.encode(),
    "lone_surrogate": b'"\\ud83d"',
    "emoji": '"\U0001f6a2 \\ud83d\\udea2"'.encode(),
    "escapes": b'"\\/\\u0041\\b\\u0000"',
    "null": b"null",
    "empty_map": b"{}",
    "empty_list": b"[ ]",
    "spaced": b'{ "a" :\n\t[ 1 ,\r\n 2 ] }',
    "deep": b"[" * 100 + b"]" * 100,
}


class Recorder(httpx.HTTPTransport):
    """The network, with a record of the bodies that came over it."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, and keep what comes back."""
        response = super().handle_request(request)
        body = httpx.Response(200, headers=response.headers, content=response.read()).content
        self.bodies.append(body)
        headers = {name: value for name, value in response.headers.items() if name != "content-encoding"}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(body))


def test_fields_are_the_cms_own_bytes(subject: Subject) -> None:
    """Numbers, duplicate names, escapes, separators, whitespace: nothing is parsed and rewritten."""
    odd = subject.simulator.publish(fields={name: {"en-US": msgspec.Raw(raw)} for name, raw in ODDITIES.items()})
    subject.become_current()
    subject.assert_right()
    published = [each.event["after"]["fields"].encode() for each in subject.seen() if each.event and each.key.id == odd]
    assert published
    for fields in published:
        assert [name for name, raw in ODDITIES.items() if raw not in fields] == []


def test_fields_and_markers_are_slices_of_the_responses(subject: Subject) -> None:
    """Every one of them, and each value in meta as well."""
    recorder = Recorder()
    subject.following.transport = recorder
    subject.become_current()
    subject.simulator.churn(10)
    subject.become_current()
    received = b"\n".join(recorder.bodies)
    texts = [
        text
        for each in subject.seen()
        if each.event
        for text in ((each.event["after"] or {}).get("fields"), each.event["marker"])
        if text is not None
    ]
    assert len(texts) > 20
    assert [text for text in texts if text.encode() not in received] == []
    for each in subject.seen():
        meta = each.event and each.event["after"] and each.event["after"]["meta"]
        parts = msgspec.json.decode(meta, type=dict[str, msgspec.Raw]) if meta else {}
        assert [name for name, part in parts.items() if bytes(part) not in received] == []
