"""The simulator as a client meets it on the wire: scripted faults, its admin API, its end."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connector.simulator import Fault, Simulator
from tests.unit.simulator.readers import READERS

VENDORS = tuple(READERS)
CONTENTFUL, WEEGLOO = READERS["contentful"], READERS["weegloo"]


@pytest.fixture(scope="module")
def serving() -> Iterator[Simulator]:
    """Yield one server for all tests here."""
    with Simulator(seed=2, entries=150).serving() as simulator:
        yield simulator


@pytest.fixture
def simulator(serving: Simulator) -> Simulator:
    """Return a small simulator."""
    serving.clear_faults()
    serving.clear_requests()
    return serving


@pytest.fixture
def client(simulator: Simulator) -> Iterator[httpx.Client]:
    """Yield a client of the simulator."""
    with httpx.Client(base_url=simulator.url(), timeout=5) as client:
        yield client


def start(client: httpx.Client, vendor: str) -> httpx.Response:
    """Send the request that starts an initial sync."""
    reader = READERS[vendor]
    return client.get(reader.path, params=reader.start, headers=reader.headers)


def follow(client: httpx.Client, vendor: str, page: Any) -> httpx.Response:
    """Send the request for the page after `page`."""
    reader = READERS[vendor]
    return client.get(reader.path, params=reader.following(page), headers=reader.headers)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_has_the_vendors_status_and_body(
    simulator: Simulator, client: httpx.Client, vendor: str, status: int
) -> None:
    """It hits once; then requests are answered."""
    simulator.push_fault(vendor, Fault("status", status=status))
    refused = start(client, vendor)
    assert refused.status_code == status
    assert isinstance(refused.json(), dict)
    assert start(client, vendor).status_code == 200


@pytest.mark.parametrize("vendor", VENDORS)
def test_faults_strike_first_in_first_out(simulator: Simulator, client: httpx.Client, vendor: str) -> None:
    """Each hits `times` requests after letting `after` of them pass."""
    simulator.push_fault(vendor, Fault("status", status=500, times=2))
    simulator.push_fault(vendor, Fault("status", status=503, after=1))
    assert [start(client, vendor).status_code for _ in range(5)] == [500, 500, 200, 503, 200]
    assert simulator.faults(vendor) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_fault_can_wait_for_requests_with_a_cursor(simulator: Simulator, client: httpx.Client, vendor: str) -> None:
    """The start of a walk is not affected."""
    simulator.push_fault(vendor, Fault("refuse_cursor", on="cursor"))
    page = start(client, vendor)
    assert page.status_code == 200
    assert follow(client, vendor, page.json()).status_code in (400, 422)
    assert follow(client, vendor, page.json()).status_code == 200


def test_a_fault_can_strike_until_it_is_cleared(simulator: Simulator, client: httpx.Client) -> None:
    """With `times` None."""
    simulator.push_fault("weegloo", Fault("html", times=None))
    assert {start(client, "weegloo").headers["content-type"] for _ in range(3)} == {"text/html"}
    simulator.clear_faults()
    assert start(client, "weegloo").json()["items"]


def test_faults_of_one_vendor_leave_the_others_alone(simulator: Simulator, client: httpx.Client) -> None:
    """Scripts are per vendor."""
    simulator.push_fault("contentful", Fault("status", on="any"))
    assert start(client, "weegloo").status_code == 200
    assert start(client, "contentful").status_code == 503


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_truncated_body_ends_the_connection_midway(simulator: Simulator, client: httpx.Client, encoding: str) -> None:
    """Fewer bytes than announced."""
    simulator.push_fault("contentful", Fault("truncated_body"))
    client.headers["accept-encoding"] = encoding
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        start(client, "contentful")


def test_truncated_gzip_arrives_complete_but_does_not_decompress(simulator: Simulator, client: httpx.Client) -> None:
    """All announced bytes arrive, and the compressed stream lacks its end."""
    simulator.push_fault("contentful", Fault("truncated_gzip"))
    with client.stream("GET", CONTENTFUL.path, params=CONTENTFUL.start, headers=CONTENTFUL.headers) as response:
        raw = b"".join(response.iter_raw())
    assert len(raw) == int(response.headers["content-length"])
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert decompressor.decompress(raw)
    assert not decompressor.eof


def test_a_gzip_bomb_is_small_on_the_wire(simulator: Simulator, client: httpx.Client) -> None:
    """Unpacked, it is valid JSON of the given size."""
    simulator.push_fault("contentful", Fault("gzip_bomb", size=32 * 1024 * 1024))
    with client.stream("GET", CONTENTFUL.path, params=CONTENTFUL.start, headers=CONTENTFUL.headers) as response:
        raw = b"".join(response.iter_raw())
    assert len(raw) < 1024 * 1024
    plain = gzip.decompress(raw)
    assert len(plain) > 32 * 1024 * 1024
    assert len(json.loads(plain)["items"]) == 100


def test_an_oversized_page_is_large_on_the_wire(simulator: Simulator, client: httpx.Client) -> None:
    """Not compressed, whatever the client accepts."""
    simulator.push_fault("weegloo", Fault("oversized_page", size=5_000_000))
    response = start(client, "weegloo")
    assert int(response.headers["content-length"]) == len(response.content) == 5_000_000
    assert len(response.json()["items"]) == 15


def test_a_reset_is_a_connection_error(simulator: Simulator, client: httpx.Client) -> None:
    """The client gets no byte of an answer."""
    simulator.push_fault("contentstack", Fault("reset"))
    with pytest.raises(httpx.ReadError):
        start(client, "contentstack")


def test_a_hanging_request_never_answers(simulator: Simulator, client: httpx.Client) -> None:
    """The client's own timeout ends it; the server still serves others."""
    simulator.push_fault("contentstack", Fault("hang"))
    client.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        start(client, "contentstack")
    client.timeout = httpx.Timeout(5)
    assert start(client, "contentstack").status_code == 200


def test_a_slow_answer_comes_after_its_delay(simulator: Simulator, client: httpx.Client) -> None:
    """Complete."""
    simulator.push_fault("contentful", Fault("slow", delay=0.3))
    response = start(client, "contentful")
    assert response.elapsed.total_seconds() >= 0.3
    assert len(response.json()["items"]) == 100


def test_a_redirect_names_another_host(simulator: Simulator, client: httpx.Client) -> None:
    """It points to `to`."""
    simulator.push_fault("contentful", Fault("redirect", to="http://elsewhere.invalid/login"))
    response = start(client, "contentful")
    assert (response.status_code, response.headers["location"]) == (302, "http://elsewhere.invalid/login")


@pytest.mark.parametrize("vendor", ["contentful", "weegloo"])
def test_a_foreign_next_url_is_in_the_body(simulator: Simulator, client: httpx.Client, vendor: str) -> None:
    """The rest of the page is right."""
    simulator.push_fault(vendor, Fault("foreign_next_url", to="http://elsewhere.invalid"))
    page = start(client, vendor).json()
    assert (page.get("nextPageUrl") or page["nextSyncUrl"]).startswith("http://elsewhere.invalid/")


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("kind", ["malformed_item", "unknown_item"])
def test_a_strange_item_is_inserted_among_the_right_ones(
    simulator: Simulator, client: httpx.Client, vendor: str, kind: Any
) -> None:
    """One more item; all others are unchanged, and so is the continuation."""
    right = start(client, vendor).json()
    simulator.push_fault(vendor, Fault(kind))
    page = start(client, vendor).json()
    middle = len(right["items"]) // 2
    strange = page["items"].pop(middle)
    assert page == right
    assert strange not in right["items"]


def test_any_json_can_be_inserted(simulator: Simulator, client: httpx.Client) -> None:
    """Verbatim."""
    simulator.push_fault("contentful", Fault("malformed_item", item='{"sys": {"price":1.10}}'))
    assert b'{"sys": {"price":1.10}}' in start(client, "contentful").content


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_duplicate_page_repeats_the_previous_items(simulator: Simulator, client: httpx.Client, vendor: str) -> None:
    """The right page follows, under another cursor."""
    first = start(client, vendor).json()
    second = follow(client, vendor, first).json()
    start(client, vendor)
    simulator.push_fault(vendor, Fault("duplicate_page"))
    repeated = follow(client, vendor, first).json()
    assert repeated["items"] == first["items"]
    assert follow(client, vendor, repeated).json()["items"] == second["items"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_empty_page_midway_loses_nothing(simulator: Simulator, client: httpx.Client, vendor: str) -> None:
    """The right page follows."""
    first = start(client, vendor).json()
    second = follow(client, vendor, first).json()
    simulator.push_fault(vendor, Fault("empty_page"))
    empty = follow(client, vendor, first).json()
    assert empty["items"] == []
    assert follow(client, vendor, empty).json()["items"] == second["items"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_repeated_cursor_leads_nowhere(simulator: Simulator, client: httpx.Client, vendor: str) -> None:
    """A page continues with the cursor that requested it."""
    first = start(client, vendor).json()
    simulator.push_fault(vendor, Fault("repeat_cursor"))
    second = follow(client, vendor, first).json()
    assert READERS[vendor].following(second) == READERS[vendor].following(first)


def test_probes_are_spared_unless_meant(simulator: Simulator, client: httpx.Client) -> None:
    """So a probe can distinguish bad cursors from bad credentials."""
    path, headers = WEEGLOO.path.replace("sync", "content-types"), WEEGLOO.headers
    simulator.push_fault("weegloo", Fault("status", status=500))
    assert client.get(path, headers=headers).status_code == 200
    simulator.push_fault("weegloo", Fault("status", status=503, on="probe"))
    assert client.get(path, headers=headers).status_code == 503


def test_nothing_is_left_after_serving() -> None:
    """Even with idle connections and a request that hangs."""
    before = set(threading.enumerate())
    with httpx.Client(timeout=0.2) as idle, httpx.Client(timeout=0.2) as hanging:
        with Simulator(entries=5).serving() as simulator:
            url = f"{simulator.url()}{CONTENTFUL.path}"
            assert idle.get(url).status_code == 401
            simulator.push_fault("contentful", Fault("hang"))
            with pytest.raises(httpx.ReadTimeout):
                hanging.get(url)
        assert set(threading.enumerate()) <= before


def test_the_admin_api_offers_the_methods_over_http() -> None:
    """Arguments as one JSON object (or in the query), field values verbatim; errors say what is wrong."""
    with Simulator(entries=5).serving() as simulator, httpx.Client(base_url=simulator.url()) as client:
        fields = '{"price": {"en-US": 1.10}}'
        body = f'{{"content_type": "product", "fields": {fields}}}'
        id_ = client.post("/_admin/publish", content=body).json()["result"]
        assert b'"price":{"en-US":1.10}' in client.get("/_admin/truth", params={"vendor": "contentful"}).content
        client.post("/_admin/push_fault", json={"vendor": "weegloo", "kind": "slow", "delay": 2})
        assert simulator.faults("weegloo") == [Fault("slow", delay=2)]
        edits = [{"method": "delete", "arguments": {"id": id_}}]
        client.post("/_admin/on_page", json={"vendor": "contentful", "page": 1, "edits": edits})
        assert CONTENTFUL.ask(simulator, **CONTENTFUL.start).status == 200
        assert id_ not in simulator.ids()
        assert client.post("/_admin/edit", json={"id": "nobody"}).status_code == 404
        assert client.post("/_admin/edit", json={"name": "nobody"}).status_code == 400
        assert client.post("/_admin/edit", content=b"[1").status_code == 400
        assert client.post("/_admin/serving").status_code == 404


def test_compression_is_for_clients_that_accept_it() -> None:
    """It leaves the content as it is."""
    with Simulator(entries=30).serving() as simulator, httpx.Client(base_url=simulator.url()) as client:
        path, params, headers = CONTENTFUL.path, CONTENTFUL.start, dict(CONTENTFUL.headers)
        packed = client.get(path, params=params, headers=headers)
        plain = client.get(path, params=params, headers=headers | {"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(packed.content)


def test_it_has_a_url_only_while_it_serves() -> None:
    """Outside of that, nobody listens at its address."""
    simulator = Simulator(entries=5)
    with simulator.serving():
        assert httpx.get(f"{simulator.url()}/_admin/ids").json()["result"] == simulator.ids()
    with pytest.raises(RuntimeError, match="not serving"):
        simulator.url()
