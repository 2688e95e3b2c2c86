"""The admin API: the simulator's methods as `POST /_admin/<method>` with their arguments as one JSON object."""

from typing import Any

import msgspec

from connector.simulator.fault import Fault
from connector.simulator.message import Live, Request, Response
from connector.simulator.operations import Operations
from connector.simulator.value import Field

_METHODS = (
    "ids", "publish", "edit", "unpublish", "delete", "release", "churn", "skew_clock", "swap_environment",
    "add_content_type", "delete_content_type", "add_field", "remove_field", "retype_field", "rename_field",
    "add_locale", "set_mode", "set_quirks", "expire_cursors", "push_fault", "faults", "clear_faults", "on_page",
    "truth", "model", "changes", "requests", "model_requests", "clear_requests", "connection",
)  # fmt: skip
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Command(msgspec.Struct, frozen=True):
    """One call of a method, for `on_page`."""

    method: str
    arguments: dict[str, msgspec.Raw] = {}


def answer(simulator: Operations, request: Request) -> Response:
    """Return `{"result": …}`, or `{"error": …}` with 404 for what does not exist and 400 for wrong arguments.

    A GET takes its arguments from the query.
    """
    method = request.path.removeprefix("/_admin/")
    try:
        given = {name: _encode(value) for name, value in request.params.items()}
        if request.body:
            given |= msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
        result = call(simulator, Command(method, {name: msgspec.Raw(value) for name, value in given.items()}))
        return _response(200, {"result": result})
    except LookupError as error:
        return _response(404, {"error": str(error)})
    except (TypeError, ValueError, msgspec.DecodeError) as error:
        return _response(400, {"error": str(error)})


def call(simulator: Operations, command: Command) -> Any:
    """Call a method and return its result as JSON-like values; raises as the method does, and for unknown methods."""
    if command.method not in _METHODS:
        raise LookupError(f"no method {command.method!r}; there are {', '.join(_METHODS)}")
    arguments = {name: _argument(simulator, command.method, name, raw) for name, raw in command.arguments.items()}
    if command.method == "push_fault":
        vendor = arguments.pop("vendor", None)
        arguments = {"vendor": vendor, "fault": msgspec.convert(arguments, Fault)}
    result = getattr(simulator, command.method)(**arguments)
    return [_live(each) for each in result] if command.method == "truth" else result


def _argument(simulator: Operations, method: str, name: str, raw: msgspec.Raw) -> Any:
    if name == "fields" and method == "add_content_type":
        return msgspec.json.decode(raw, type=list[Field])
    if name == "fields":
        # Kept as sent: `1.10` is not `1.1`.
        return msgspec.json.decode(raw, type=dict[str, dict[str, msgspec.Raw]] | None)
    if name == "edits":
        commands = msgspec.json.decode(raw, type=list[Command])
        return lambda: [call(simulator, each) for each in commands]
    return msgspec.json.decode(raw)


def _live(live: Live) -> dict[str, Any]:
    fields = None if live.fields is None else msgspec.Raw(live.fields)
    return {**msgspec.structs.asdict(live), "fields": fields}


def _response(status: int, body: dict[str, Any]) -> Response:
    return Response(status, {"Content-Type": "application/json"}, _encode(body))
