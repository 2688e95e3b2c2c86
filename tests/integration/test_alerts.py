"""The alerts that the documentation offers, each run once against a real Prometheus."""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from connector.clock import SYSTEM
from connector.cms.webhook import Handled, WebhookCall
from connector.config.site import Site
from connector.service.metrics import CONTENT_TYPE, Metrics
from connector.service.server import Server
from connector.stream.status import StreamStatus
from tests.prometheus import binary, started

pytestmark = pytest.mark.kafka  # Prometheus

DOCS = Path(__file__).parents[2] / "docs"
RULES = DOCS / "alerts.yml"
NAMES = re.findall(r"(?m)^ *- alert: (\w+)$", RULES.read_text(encoding="utf-8"))


class Process:
    """A contentwire process as a scrape sees it."""

    def __init__(self) -> None:
        self.lost = 0
        self.metrics = Metrics(lambda: self.lost)
        self.metrics.born(["blog"])
        self.well()

    def well(self) -> None:
        """Follow the stream without trouble."""
        now = time.time()
        self.metrics.states({"blog": "running"})
        self.metrics.committed("blog", now)
        self.metrics.page("blog", 1, 1, 0.1, now)
        self.metrics.lags({"blog": 1.0})

    def lose_a_line(self) -> None:
        """Lose a log line."""
        self.lost += 1

    def polled(self, at: float) -> None:
        """Have read the last page at a time."""
        self.metrics._last_poll.labels("blog").set(at)

    def status(self) -> list[StreamStatus]:
        """Return nothing: a scrape does not ask for it."""
        return []

    def seconds_since_turn(self) -> float:
        """Say that the loop runs."""
        return 0.0

    def dead(self) -> list[str]:
        """Return nothing."""
        return []

    def wake(self, connection: str, calls: Sequence[WebhookCall]) -> Handled:
        """Refuse."""
        return Handled("unknown")


TROUBLES: dict[str, Callable[[Process], None]] = {
    "ContentwireDisconnected": lambda process: process.metrics.states({"blog": "disconnected"}),
    "ContentwireStreamUnowned": lambda process: process.metrics.states({"blog": "standby"}),
    "ContentwireStreamHalted": lambda process: process.metrics.states({"blog": "stopped"}),
    "ContentwireStreamRetrying": lambda process: process.metrics.states({"blog": "retrying"}),
    "ContentwirePollsFail": lambda process: process.polled(time.time() - 1000),
    "ContentwireLagging": lambda process: process.metrics.lags({"blog": 4000}),
    "ContentwireNothingCommitted": lambda process: process.metrics.committed("blog", time.time() - 2000),
    "ContentwireDeadLetters": lambda process: process.metrics.dead_letters("blog", "MalformedItem"),
    "ContentwireStreamRestarts": lambda process: process.metrics.restarted("blog"),
    "ContentwireLogLinesLost": lambda process: process.lose_a_line(),
    "ContentwireWebhooksRefused": lambda process: process.metrics.webhook("blog", "wrong"),
    "ContentwireLocaleMismatches": lambda process: process.metrics.locale_mismatch("blog"),
}
"""What makes each alert fire, except the one about a process that is gone."""


def test_the_rules_are_rules() -> None:
    """Prometheus's own tool accepts the file, and the documentation describes each alert in it."""
    checked = subprocess.run(
        [binary("promtool"), "check", "rules", str(RULES)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    documented = set(re.findall(r"(?m)^\| `(Contentwire\w+)` \|", (DOCS / "metrics.md").read_text(encoding="utf-8")))
    assert documented == set(NAMES) == {"ContentwireAbsent", *TROUBLES}


def test_each_alert_fires(tmp_path: Path) -> None:
    """A healthy process raises none; each trouble, even the first of its kind, raises its own, and none is missed."""
    rules = tmp_path / "rules.yml"
    # How long trouble has to last is a matter of taste; this proves only that it can be seen.
    rules.write_text(re.sub(r"for: \d+m", "for: 0s", RULES.read_text(encoding="utf-8")), encoding="utf-8")
    process = Process()
    server = Server(Site("127.0.0.1", 0), process, process.metrics.render, CONTENT_TYPE, SYSTEM).start()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        "global: { scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }\n"
        f"rule_files: ['{rules}']\n"
        "scrape_configs:\n"
        f"  - {{ job_name: contentwire, static_configs: [ {{ targets: ['127.0.0.1:{server.port}'] }} ] }}\n",
        encoding="utf-8",
    )
    child, url = started(configuration, tmp_path)
    with child, httpx.Client(base_url=url, trust_env=False, timeout=5) as prometheus:
        until(lambda: scrapes(prometheus) >= 5)
        until(lambda: firing(prometheus) == set())
        for alert, trouble in TROUBLES.items():
            trouble(process)
            until(lambda alert=alert: alert in firing(prometheus))  # type: ignore[misc]  # the loop's own
            process.well()
        server.stop()
        until(lambda: "ContentwireAbsent" in firing(prometheus))


def until(fact: Callable[[], bool]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if fact():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ask(prometheus: httpx.Client, path: str, **parameters: str) -> Any:
    """Return the data of Prometheus's answer."""
    answer = prometheus.get(f"/api/v1/{path}", params=parameters)
    return answer.json()["data"] if answer.status_code == 200 else {}


def scrapes(prometheus: httpx.Client) -> int:
    """Return how often the process has been scraped, once the rules have been evaluated as well."""
    groups = ask(prometheus, "rules").get("groups", [])
    if not groups or any(rule["health"] != "ok" for rule in groups[0]["rules"]):
        return 0
    found = ask(prometheus, "query", query="count_over_time(contentwire_build_info[1m])").get("result", [])
    return int(found[0]["value"][1]) if found else 0


def firing(prometheus: httpx.Client) -> set[str]:
    """Return the alerts that fire."""
    alerts = ask(prometheus, "alerts").get("alerts", [])
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
