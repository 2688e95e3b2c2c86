"""Headless CMSs on loopback: every vendor's sync API over one content store, with a change log and scripted faults.

    with Simulator(seed=1, entries=300).serving() as simulator:
        connection = simulator.connection(vendor)
        simulator.push_fault(vendor, Fault("slow", delay=2, on="cursor", after=1))
        simulator.edit(simulator.ids()[0])

| method | what it does |
|---|---|
| `serving(host, port)`, `url(vendor)`, `connection(vendor)` | serve HTTP; where; what a configuration table needs |
| `ids(kind, content_type)`, `truth(vendor)`, `requests(vendor)` | what is live; what is delivered; what was requested |
| `changes()` | the content's change log |
| `publish(…)`, `edit(id, …)`, `unpublish(id, locale)`, `delete(id, locale)` | one change; no `locale` means all |
| `release(count)`, `churn(count)` | many changes |
| `add_content_type(id, fields)`, `delete_content_type(id)` | another content type; one less, with its entries |
| `add_field(type, name, kind)`, `remove_field`, `retype_field`, `rename_field` | edit a content type |
| `add_locale(code, fallback=…)` | another language |
| `model(vendor)`, `model_requests(vendor)` | the content model, as the vendor tells it; who asked for it |
| `push_fault(vendor, Fault(…))`, `faults`, `clear_faults` | what goes wrong with the next requests |
| `on_page(vendor, page, edits)` | change content while a client pages |
| `set_mode(vendor, "shift" or "refuse")` | what such changes do to the walk |
| `expire_cursors(vendor)`, `swap_environment(seed)`, `skew_clock(seconds)` | what else happens to a CMS |

Entries follow an edit of their content type when they are published the next time: until then they keep the fields and
the values that they had. `Simulator(content_types=20)` begins with more types than four.

Over HTTP the same methods are `POST /_admin/<method>` with their arguments as one JSON object; the answer is
`{"result": …}`. There, `push_fault` takes the members of `Fault` and `vendor`, `edits` of `on_page` is a list of
`{"method": …, "arguments": {…}}`, and `fields` of `add_content_type` is a list of
`{"name": …, "type": …, "localized": …, "target": …}`. `contentwire simulate` serves a simulator and nothing else.

This package's `connection(vendor)` needs no simulator: scope and credentials are the same in every one.
"""

from connector.simulator.app import Simulator
from connector.simulator.fault import Fault
from connector.simulator.front_end import connection
from connector.simulator.message import Live, Request, Response
from connector.simulator.stage import LoggedRequest
from connector.simulator.store import Change, UnknownEntityError
from connector.simulator.value import ContentType, Field, FieldType, Locale, Model

__all__ = [
    "Change",
    "ContentType",
    "Fault",
    "Field",
    "FieldType",
    "Live",
    "Locale",
    "LoggedRequest",
    "Model",
    "Request",
    "Response",
    "Simulator",
    "UnknownEntityError",
    "connection",
]
