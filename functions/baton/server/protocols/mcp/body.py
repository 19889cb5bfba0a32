"""Requests of MCP over streamable HTTP: their envelopes in both revisions, and the errors of the protocol.

Invariant: nothing follows from an earlier request. A request of revision 2026-07-28 carries its version and its
client's capabilities; one of 2025-11-25 and before is known by its header, and its client's capabilities are not.

Source: https://modelcontextprotocol.io/specification/2026-07-28/basic, and …/2025-11-25/basic.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError
from pydantic_core import from_json
from starlette.datastructures import Headers

from baton.sdk.records.any_json import AnyJson, JsonObject
from baton.server.api.problem import ApiError, Code, NotUtf8Error, invalid
from baton.store.transport.bodies import check_values
from baton_events.errors import BatonError

MODERN, LEGACY = "2026-07-28", "2025-11-25"
# The older ones differ from LEGACY here only in having no tasks.
_OLDER = ("2025-06-18", "2025-03-26")
SUPPORTED = (MODERN, LEGACY, *_OLDER)
TASKS = "io.modelcontextprotocol/tasks"
_VERSION, _CAPABILITIES = "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities"
# Each answer repeats the id of its request.
ID_LIMIT_CHARS = 400
VERSION_HEADER = "mcp-protocol-version"
_METHOD_HEADER, _NAME_HEADER = "mcp-method", "mcp-name"
# The parameter that the header `Mcp-Name` repeats; without the header where the SDKs leave it out.
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_TASK_METHODS = ("tasks/get", "tasks/update", "tasks/cancel")
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")

NOT_JSON, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION = -32020, -32021, -32022
_BAD_REQUEST, _NOT_FOUND = 400, 404
_INVALID_STATUSES = (400, 403, 404, 409, 410, 415, 422)


class RpcError(BatonError):
    def __init__(self, code: int, detail: str, data: Any = None) -> None:
        super().__init__(detail)
        self.code, self.data = code, data

    @property
    def value(self) -> dict[str, Any]:
        return {"code": self.code, "message": str(self)} | ({} if self.data is None else {"data": self.data})

    def http_status(self, *, modern: bool) -> int:
        """Return the answer's HTTP status: by revision 2026-07-28, or 400 only for malformed requests of older ones."""
        if modern and self.code == METHOD_NOT_FOUND:
            return _NOT_FOUND
        refused = modern or self.code in (NOT_JSON, INVALID_REQUEST, UNSUPPORTED_VERSION)
        return _BAD_REQUEST if refused and self.code != INTERNAL else 200


def rpc_error(error: ApiError) -> RpcError:
    """Convert an error of our API into an error of the protocol.

    Raises ApiError: the error, unless the protocol has one for its status: size, keys, rates, the store.
    """
    if isinstance(error, NotUtf8Error):
        return RpcError(NOT_JSON, str(error))
    if error.code is Code.UNREADABLE:
        return RpcError(INTERNAL, str(error))
    if error.status not in _INVALID_STATUSES:
        raise error
    return RpcError(INVALID_PARAMS, str(error))


def missing_capability(capabilities: dict[str, Any], detail: str) -> RpcError:
    """Build the error for a client that does not declare a capability that its request needs."""
    return RpcError(MISSING_CAPABILITY, detail, {"requiredCapabilities": capabilities})


class RpcMessage(BaseModel):
    """A request, a notification (it has no `id`), or an answer to a question of the server (it has no `method`)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    jsonrpc: Literal["2.0"]
    id: Annotated[StrictStr, Field(max_length=ID_LIMIT_CHARS)] | StrictInt | None = None
    method: StrictStr = ""
    params: JsonObject | None = None
    result: AnyJson = None
    error: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request, a notification (`id` None), or an answer to a question (`method` empty).

    `capabilities`: of the client; None: unknown, in older revisions.
    """

    method: str
    id: str | int | None = None
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    result: Any = None
    capabilities: dict[str, Any] | None = None

    @property
    def modern(self) -> bool:
        return self.capabilities is not None

    @property
    def meta(self) -> dict[str, Any]:
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}

    @property
    def takes_tasks(self) -> bool:
        """Whether a task may be the answer to a call of a tool."""
        if self.capabilities is None:
            return isinstance(self.params.get("task"), dict)
        extensions = self.capabilities.get("extensions")
        return isinstance(extensions, dict) and TASKS in extensions

    @property
    def takes_questions(self) -> bool:
        """Whether its client shows forms to people; in older revisions a client that cannot refuses them itself."""
        if self.capabilities is None:
            return True
        found = self.capabilities.get("elicitation")
        return isinstance(found, dict) and (not found or "form" in found)

    def text(self, name: str) -> str:
        """Return a parameter that must be a text. Raises RpcError: it is not a text."""
        found = self.params.get(name)
        if not isinstance(found, str) or not found:
            raise RpcError(INVALID_PARAMS, f"params.{name}: a text is needed, got {str(found)[:80]!r}")
        return found


def is_modern(headers: Headers, message: Any) -> bool:
    """Return whether a message is of revision 2026-07-28, or claims to be of a later one."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    named = headers.get(VERSION_HEADER)
    return (isinstance(meta, dict) and _VERSION in meta) or (named is not None and named not in (LEGACY, *_OLDER))


def decoded(body: bytes) -> Any:
    """Parse the message of a body. Raises RpcError: it is no JSON. TooLargeError: it has too many values."""
    check_values(body)
    try:
        return from_json(body)
    except ValueError as error:
        raise RpcError(NOT_JSON, "the body is not JSON") from error


def read_call(headers: Headers, message: Any) -> Call:
    """Parse a message into a call.

    Raises RpcError: it is not a call, contradicts its headers, or is of an unsupported version.
    """
    found = _envelope(message)
    if not is_modern(headers, message):
        return found
    if found.id is None and found.method:
        return found  # a notification has no capabilities
    if not found.method:
        raise RpcError(INVALID_REQUEST, f"in revision {MODERN} a client sends requests, and no answers")
    meta, named = found.meta, headers.get(VERSION_HEADER, MODERN)
    if _VERSION not in meta and named != MODERN:  # an older revision than those that are spoken
        raise _unsupported(named)
    if missing := [name for name in (_VERSION, _CAPABILITIES) if name not in meta]:
        raise RpcError(INVALID_PARAMS, f"params._meta has no {', '.join(missing)}")
    _check_headers(headers, found)
    requested, capabilities = meta[_VERSION], meta[_CAPABILITIES]
    if requested != MODERN:
        raise _unsupported(requested)
    if not isinstance(capabilities, dict):
        raise RpcError(INVALID_PARAMS, f"params._meta.{_CAPABILITIES} must be an object, got {str(capabilities)[:80]}")
    return Call(found.method, found.id, found.params, capabilities=capabilities)


def _unsupported(requested: Any) -> RpcError:
    detail = f"revision {str(requested)[:40]!r} is not spoken here; there are: {', '.join(SUPPORTED)}"
    return RpcError(UNSUPPORTED_VERSION, detail, {"supported": list(SUPPORTED), "requested": requested})


def _envelope(message: Any) -> Call:
    try:
        found = RpcMessage.model_validate(message)
    except ValidationError as error:
        raise RpcError(INVALID_REQUEST, str(invalid(error, "message of JSON-RPC"))) from error
    names = found.model_fields_set
    if "id" in names and found.id is None:
        raise RpcError(INVALID_REQUEST, "id must be a text or a whole number, got null")
    if found.method:
        return Call(found.method, found.id, found.params or {})
    if found.id is None or not names & {"result", "error"}:
        raise RpcError(INVALID_REQUEST, "method must be a text")
    return Call("", found.id, result=found.result)


def _check_headers(headers: Headers, call: Call) -> None:
    """Check that the headers match the body, so a proxy that routes by them routes the call that is answered here."""
    expected = {VERSION_HEADER: call.meta[_VERSION], _METHOD_HEADER: call.method}
    if (named := _NAMED_BY.get(call.method)) and call.params.get(named) is not None:
        expected[_NAME_HEADER] = call.params[named]
    elif call.method in _TASK_METHODS and _NAME_HEADER in headers:
        expected[_NAME_HEADER] = call.params.get("taskId")
    for name, wanted in expected.items():
        given = headers.getlist(name)
        if len(given) != 1 or _plain(given[0]) != wanted:
            shown = repr(given[0][:80]) if given else "missing"
            detail = f"header {name} is {shown}, and the body says {str(wanted)[:80]!r}: send it once, with that value"
            raise RpcError(HEADER_MISMATCH, detail)


def _plain(value: str) -> str | None:
    """Decode a header's value; None if its encoding is broken."""
    found = _ENCODED.fullmatch(value.strip(" \t"))
    if found is None:
        return value.strip(" \t")
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except (binascii.Error, ValueError):
        return None
