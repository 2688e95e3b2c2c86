"""Webhook calls and signals to running processes, on the real broker, as users run them."""

import hmac
import signal
import time
import urllib.error
import urllib.request

from tests.cms import eventually
from tests.ports import free_port
from tests.scripted import ITEM, Place, case, revisions, rows, served


def called(port: int, path: str, headers: dict[str, str]) -> int:
    """Return the status of the answer to a webhook call."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", b"{}", headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def signature(path: str) -> dict[str, str]:
    """Return headers as Contentful's toolkit makes them, built without the code under test."""
    stamp = str(time.time_ns() // 1_000_000)
    text = f"POST\n{path}\nx-contentful-timestamp:{stamp}\n".encode() + b"{}"
    signed = hmac.new(b"s" * 64, text, "sha256").hexdigest()
    names = {"x-contentful-signed-headers": "x-contentful-timestamp", "x-contentful-timestamp": stamp}
    return {**names, "x-contentful-signature": signed}


def test_10_a_webhook_behind_a_gateway_wakes(place: Place) -> None:
    """The query is signed escaped, a prefix that a gateway strips is configured, and refusals leave a trace."""
    with served(case(ITEM)) as cms:
        workplace, port = place(cms, 'webhook_secret = { env = "W" }'), free_port()
        workplace.environ["W"] = "s" * 64
        workplace.edit(r"\Z", f'[server]\nlisten = "127.0.0.1:{port}"\npublic_path = "/cms"\n')
        with workplace.start("run") as run:
            assert run.said('"recovered"')
            assert called(port, "/webhooks/blog?env=prod", signature("/webhooks/blog?env%3Dprod")) == 202
            assert called(port, "/webhooks/blog", signature("/cms/webhooks/blog")) == 202
            assert called(port, "/webhooks/blog", signature("/other/webhooks/blog")) == 401
            assert run.said("a webhook call was refused")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                assert 'contentwire_webhooks_total{connection="blog",outcome="wrong"} 1.0' in answer.read().decode()
            run.ends(signal.SIGTERM)


def test_a_webhook_is_handed_on_to_the_owner(place: Place) -> None:
    """A load balancer sends calls to any process: the stream's owner polls at once, and publishes what is new."""
    with served(case(ITEM)) as cms:
        workplace, ports = place(cms, 'webhook_secret = { env = "W" }'), (free_port(), free_port())
        workplace.environ["W"] = "s" * 64
        workplace.edit(r"poll_interval = 0\.2", "poll_interval = 3600")
        workplace.edit(r"\Z", f'[server]\nlisten = "127.0.0.1:{ports[0]}"\n')
        with workplace.start("run") as owner:
            assert owner.said('"committed"')
            workplace.edit(f":{ports[0]}", f":{ports[1]}")
            with workplace.start("run") as other:
                assert other.said('"listening"')
                shared = {"X-Contentwire-Secret": "s" * 64}
                eventually(lambda: called(ports[1], "/webhooks/blog", shared) == 202, within=30)
                cms.release([{**case(ITEM)[0], "sys": {**case(ITEM)[0]["sys"], "revision": 2}}])
                eventually(
                    lambda: called(ports[1], "/webhooks/blog", shared) and revisions(workplace) == [1, 2], within=60
                )
                with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/metrics", timeout=10) as answer:
                    scraped = answer.read().decode()
                assert 'contentwire_webhooks_total{connection="blog",outcome="handed_on"} 0.0' not in scraped
                other.ends(signal.SIGTERM)
            owner.ends(signal.SIGTERM)


def test_sighup_reloads_or_says_why_not(place: Place) -> None:
    """An unusable configuration is refused with a log line and the previous one stays; a usable one is followed."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        with workplace.start("run") as run:
            # Not only recovered: what is filtered out before it was published would never be.
            assert run.said('"events": 1')
            before = workplace.path.read_text()
            workplace.write("nonsense = [")
            run.child.send_signal(signal.SIGHUP)
            assert run.said("configuration not reloaded")
            workplace.write(before.replace("poll_interval = 0.2", 'poll_interval = 0.3\ncontent_types = ["other"]'))
            run.child.send_signal(signal.SIGHUP)
            assert run.said('"configuration reloaded"')
            eventually(lambda: [op for op, _ in rows(workplace)] == ["r", "d"], within=60)
            assert run.ends(signal.SIGTERM).code == 143
