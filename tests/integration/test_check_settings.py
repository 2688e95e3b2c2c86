"""`check` names the setting that a run would fail or be poorer for, on a real broker."""

import json
from pathlib import Path

import pytest

from connector.demo.broker import Broker
from connector.simulator import Simulator
from tests.command import following

CASES = {
    "contentstack": ('api_filter = { content_type_uid = "nope" }', "api_filter", "failed", 1),
    "contentful": ('snapshot_mode = "initial"\npreview = true', "preview", "warning", 0),
    "weegloo": ('content_types = ["nope"]', "content_types", "warning", 0),
}


@pytest.mark.parametrize("vendor", CASES)
def test_check_names_the_setting(tmp_path: Path, simulator: Simulator, kafka: Broker, prefix: str, vendor: str) -> None:
    """A refused filter fails with its parameter's name; what makes a run poorer is a warning under its own setting."""
    line, setting, verdict, code = CASES[vendor]
    workplace = following(tmp_path, simulator, [vendor], bootstrap=kafka.bootstrap, prefix=prefix)
    workplace.edit(r"(vendor = .*)", rf"\1\n{line}")
    ended = workplace.run("check", "--json")
    findings = json.loads(ended.out)
    told = {finding["subject"]: finding for finding in findings if finding["verdict"] != "ok"}
    assert ended.code == code, told
    (found,) = [finding for finding in told.values() if finding["subject"] == f"{vendor}: {setting}"]
    assert found["verdict"] == verdict
    assert found["hint"]
    if verdict == "failed":
        assert "it refuses api_filter.content_type_uid" in found["message"]
    assert f"{vendor}: credentials" not in told


def test_check_names_what_a_topic_has_otherwise(
    tmp_path: Path, simulator: Simulator, kafka: Broker, prefix: str
) -> None:
    """`topic_config` is used when a topic is created: a later change of it does nothing by itself."""
    line = 'topic_config = { "delete.retention.ms" = 60000, "retention.ms" = -1 }'
    workplace = following(tmp_path, simulator, ["contentful"], bootstrap=kafka.bootstrap, prefix=prefix, kafka=line)
    assert workplace.run("run", "--until-caught-up").code == 0
    assert "topic_config" not in workplace.run("check").out
    workplace.edit('"delete.retention.ms" = 60000', '"delete.retention.ms" = 70000')
    ended = workplace.run("check", "--json")
    (found,) = [each for each in json.loads(ended.out) if each["subject"] == "contentful: topic_config"]
    assert (ended.code, found["verdict"]) == (0, "warning")
    assert "delete.retention.ms = 60000" in found["message"]
    assert "retention.ms = -1" not in found["message"].replace("delete.retention.ms", "")
    assert "--add-config delete.retention.ms=70000" in found["hint"]
