"""`check` names the setting that makes a run fail or publish less, on a real broker."""

import json
from pathlib import Path

import pytest

from connector.devservers.broker import Broker
from tests.command import Workplace, WorkplaceOf
from tests.jsonserver import Answer
from tests.scriptedcms import ScriptedCms

CASES = {
    "contentstack": ('api_filter = { content_type_uid = "nope" }', "api_filter", "warning", 0),
    "contentful": ('snapshot_mode = "initial"\npreview = true', "preview", "warning", 0),
    "weegloo": ('content_types = ["nope"]', "content_types", "warning", 0),
}


@pytest.mark.parametrize("vendor", CASES)
def test_check_names_the_setting(workplace_of: WorkplaceOf, vendor: str) -> None:
    """A setting that makes a run publish less, or nothing, gets a warning under its name."""
    line, setting, verdict, code = CASES[vendor]
    workplace = workplace_of(vendor, connection_lines=line)
    ended = workplace.run("check", "--json")
    findings = json.loads(ended.out)
    warned = {finding["subject"]: finding for finding in findings if finding["verdict"] != "ok"}
    assert ended.code == code, warned
    (found,) = [finding for finding in warned.values() if finding["subject"] == f"{vendor}: {setting}"]
    assert found["verdict"] == verdict
    assert found["hint"]
    assert f"{vendor}: credentials" not in warned


class Refusing(ScriptedCms):
    """A space in which the content type of the filter does not exist."""

    def answer(self, path: str, token: str) -> Answer:
        """Refuse only the initial request."""
        body = {"sys": {"type": "Error", "id": "InvalidQuery"}, "details": {"errors": [{"name": "unknownContentType"}]}}
        return (400, {}, json.dumps(body).encode()) if "initial=true" in path else super().answer(path, token)


def test_check_fails_with_the_parameter_that_is_refused(tmp_path: Path, kafka: Broker, prefix: str) -> None:
    """The credentials are right: exit 1, and the key to correct, as `run` would report it."""
    workplace = Workplace(tmp_path, {"T": "tok-secret-1"}, prefix)
    with Refusing([]).serving() as cms:
        workplace.write(
            f'[kafka]\nbootstrap_servers = "{kafka.bootstrap}"\nprefix = "{prefix}"\n[connections.blog]\n'
            f'vendor = "contentful"\nspace = "s"\ntoken = {{ env = "T" }}\nbase_url = "{cms.url}"\n'
            'api_filter = { type = "Entry", content_type = "nope" }\n'
        )
        ended = workplace.run("check", "--json")
    (failed,) = [finding for finding in json.loads(ended.out) if finding["verdict"] == "failed"]
    assert (ended.code, failed["subject"]) == (1, "blog: api_filter")
    assert failed["message"].endswith("it refuses api_filter.content_type")
    assert "token" not in failed["hint"]


def test_check_names_topic_settings_that_differ(workplace_of: WorkplaceOf) -> None:
    """`topic_config` applies only when a topic is created: changing it later has no effect by itself."""
    line = 'topic_config = { "delete.retention.ms" = 60000, "retention.ms" = -1 }'
    workplace = workplace_of(kafka_lines=line)
    assert workplace.run("run", "--until-caught-up").code == 0
    assert "topic_config" not in workplace.run("check").out
    workplace.edit('"delete.retention.ms" = 60000', '"delete.retention.ms" = 70000')
    ended = workplace.run("check", "--json")
    (found,) = [each for each in json.loads(ended.out) if each["subject"] == "contentful: topic_config"]
    assert (ended.code, found["verdict"]) == (0, "warning")
    assert "delete.retention.ms = 60000" in found["message"]
    assert "retention.ms = -1" not in found["message"].replace("delete.retention.ms", "")
    assert "--add-config delete.retention.ms=70000" in found["hint"]
