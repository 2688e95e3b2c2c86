"""What the demo does to the CMSs, step by step. No step touches entities that an earlier step is waiting for."""

from collections.abc import Callable

import msgspec

from connector.simulator import Simulator

RELEASE = 50

SLOW = "contentstack"
"""The vendor whose sync is slow during the second release, so that the crash always hits an open walk."""


class Step(msgspec.Struct, frozen=True):
    """One thing an editor does, as the audience reads it."""

    title: str
    edit: Callable[[Simulator], object]


def _oldest(simulator: Simulator) -> str:
    return simulator.ids()[0]


def _newest(simulator: Simulator) -> str:
    return simulator.ids()[-1]


PUBLISH = Step("publish a blog post", lambda simulator: simulator.publish())
EDIT = Step("edit it", lambda simulator: simulator.edit(_newest(simulator)))
UNPUBLISH = Step("unpublish an entry", lambda simulator: simulator.unpublish(_oldest(simulator)))
DELETE = Step("delete another one", lambda simulator: simulator.delete(_oldest(simulator)))
BULK = Step(f"release {RELEASE} entries", lambda simulator: simulator.release(RELEASE))

EDITS = (PUBLISH, EDIT, UNPUBLISH, DELETE, BULK)
SECOND_RELEASE = Step(f"release {RELEASE} more", BULK.edit)
UNATTENDED = Step("publish a blog post", PUBLISH.edit)
