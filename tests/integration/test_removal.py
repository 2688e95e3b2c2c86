"""`foreign-records --remove` removes none of our records, even if the registry differs or the state is lost."""

import json

from connector.devservers.broker import Broker
from connector.events.state_record import CHECKPOINT_KEY
from tests.command import Workplace
from tests.consumer import consume
from tests.scripted import ITEM, ONCE, Place, case, served
from tests.topics import produce

ALL = ("--from-beginning", "--until-end", "--json")


def held(workplace: Workplace, kafka: Broker) -> dict[bytes, bytes | None]:
    """Return the last value of each key of the changes topic."""
    records = consume(kafka.client, f"{workplace.prefix}.blog.changes")
    return {record.key or b"": record.value for record in records}


def test_another_registry_makes_nothing_of_ours_foreign(place: Place, kafka: Broker, registry: str) -> None:
    """Whatever reads the topics refuses, with the remedy; nothing is removed, and nothing is called foreign."""
    with served(case(ITEM)) as cms:
        workplace = place(cms, tables=f'registry = {{ url = "{registry}" }}')
        assert workplace.run(*ONCE).code == 0
        before = held(workplace, kafka)
        workplace.edit(r"registry = .*\n", "\n")
        reading = [("foreign-records", "blog"), ("foreign-records", "blog", "--remove"), ("verify", "blog")]
        for command in [*reading, ("tail", "blog", *ALL), ("snapshot", "blog", "--all")]:
            ended = workplace.run(*command)
            assert ended.code == 1, (command, ended)
            assert "restore the registry" in ended.err
            assert "who else writes" not in ended.out + ended.err
        assert held(workplace, kafka) == before


def test_no_change_record_is_removed_without_a_checkpoint(place: Place, kafka: Broker) -> None:
    """If the checkpoint is gone, or was imported and knows no keys yet, the records stay, and are reported."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        exported = workplace.run("checkpoints", "export", "blog").out
        (genuine,) = [each for each in consume(kafka.client, f"{workplace.prefix}.blog.changes") if each.value]
        produce(kafka, f"{workplace.prefix}.blog.changes", genuine.key or b"", b"hello", genuine.partition)
        produce(kafka, f"{workplace.prefix}.blog.state", CHECKPOINT_KEY, None)
        lost = workplace.run("foreign-records", "blog", "--remove", "--json")
        assert workplace.run("checkpoints", "import", "blog", "-", stdin=exported).code == 0
        imported = workplace.run("foreign-records", "blog", "--remove", "--json")
        for ended in (lost, imported):
            (found,) = json.loads(ended.out)
            assert (ended.code, found["removed"]) == (1, False)
            assert "nothing says what is live" in found["remark"]
        assert held(workplace, kafka) == {genuine.key: b"hello"}


def test_check_finds_what_others_have_written_lately(place: Place, kafka: Broker) -> None:
    """A consumer fails on them: `check` names the place and the remedy, as `verify` does."""
    with served(case(ITEM)) as cms:
        workplace = place(cms)
        assert workplace.run(*ONCE).code == 0
        produce(kafka, f"{workplace.prefix}.blog.changes", b"hello", b"world", 0)
        ended = workplace.run("check")
        assert ended.code == 1
        assert f"{workplace.prefix}.blog.changes partition 0 offset" in ended.out
        assert "contentwire foreign-records blog" in ended.out
