"""Requests of A2A's JSON-RPC binding: their envelopes, the parameters of its methods, and its errors.

Source: https://a2a-protocol.org/v1.0.0/specification, sections 5 and 9.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request

from baton.sdk.records.any_json import AnyJson
from baton.server.api.problem import ApiError, Code, NotUtf8Error, invalid, is_no_json
from baton.settings.limits import PARTS, SESSION_LIMIT_CHARS
from baton.store.transport.bodies import check_values
from baton_events.errors import BatonError

VERSION = "1.0"
_AsSent = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)
_Id = Annotated[str, Field(min_length=1, max_length=400)]
# Each error of the protocol: its code, by the reason that its details have.
_CODES = {
    "TASK_NOT_FOUND": -32001,
    "TASK_NOT_CANCELABLE": -32002,
    "PUSH_NOTIFICATION_NOT_SUPPORTED": -32003,
    "UNSUPPORTED_OPERATION": -32004,
    "CONTENT_TYPE_NOT_SUPPORTED": -32005,
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": -32007,
    "VERSION_NOT_SUPPORTED": -32009,
}
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL, NOT_JSON = -32600, -32601, -32602, -32603, -32700
# The protocol's error for each status of our API; an error with another status is passed on unchanged.
_OF_STATUS: dict[int, str | int] = {
    400: INVALID_PARAMS,
    403: "TASK_NOT_FOUND",
    404: "TASK_NOT_FOUND",
    409: "UNSUPPORTED_OPERATION",
    410: "TASK_NOT_FOUND",
    413: INVALID_PARAMS,
    415: "CONTENT_TYPE_NOT_SUPPORTED",
    422: INVALID_PARAMS,
}


class RpcError(BatonError):
    """A JSON-RPC error. `kind`: a reason of the protocol, or a code of JSON-RPC's own."""

    def __init__(self, kind: str | int, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind

    @property
    def value(self) -> dict[str, Any]:
        if isinstance(self.kind, int):
            return {"code": self.kind, "message": str(self)}
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.kind, "domain": "a2a-protocol.org"}
        return {"code": _CODES[self.kind], "message": str(self), "data": [info]}


def rpc_error(error: ApiError) -> RpcError:
    """Convert an error of our API into an error of the protocol.

    Raises ApiError: the error, unless the protocol has one for its status: rates, the store.
    """
    if isinstance(error, NotUtf8Error):
        return RpcError(NOT_JSON, str(error))
    if error.code is Code.UNREADABLE:
        return RpcError(INTERNAL, str(error))
    if error.status not in _OF_STATUS:
        raise error
    return RpcError(_OF_STATUS[error.status], str(error))


class RpcRequest(BaseModel):
    """A call."""

    model_config = _AsSent

    jsonrpc: Literal["2.0"]
    method: Annotated[str, Field(min_length=1, max_length=100)]
    id: str | int | None = None
    params: dict[str, Any] = Field(default_factory=dict[str, Any])


class MessagePart(BaseModel):
    """A text, any JSON, or a file: its content in Base64, or its address."""

    model_config = _AsSent

    text: str | None = None
    data: AnyJson = None
    raw: str | None = None
    url: str | None = None
    media_type: str = ""
    filename: str = ""


class TaskMessage(BaseModel):
    """A message. `task_id`: the task that it is an answer to; `context_id`: the conversation."""

    model_config = _AsSent

    message_id: Annotated[str, Field(min_length=1, max_length=200)]
    role: Literal["ROLE_USER"]
    parts: Annotated[list[MessagePart], Field(min_length=1, max_length=PARTS)]
    context_id: Annotated[str, Field(max_length=SESSION_LIMIT_CHARS)] = ""
    task_id: Annotated[str, Field(max_length=400)] = ""

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.parts if part.text is not None)

    @property
    def data(self) -> dict[str, Any]:
        """Its JSON: that of its one part if it is an object, otherwise all as `data`."""
        found = [part.data for part in self.parts if part.data is not None]
        if len(found) == 1 and isinstance(found[0], dict):
            return dict(found[0])
        return {"data": found} if found else {}

    @property
    def file_parts(self) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        for place, part in enumerate(self.parts):
            if part.raw is not None or part.url is not None:
                url = part.url if part.raw is None else f"data:{part.media_type};base64,{part.raw}"
                file = {"type": "file", "mediaType": part.media_type, "url": url}
                found.append((f"message.parts.{place}", file | ({"filename": part.filename} if part.filename else {})))
        return found


class PushConfig(BaseModel):
    """Where the task's end is sent."""

    model_config = _AsSent

    url: Annotated[str, Field(min_length=1)]
    token: str = ""
    authentication: dict[str, Any] | None = None


class SendConfiguration(BaseModel):
    """How a message is to be answered."""

    model_config = _AsSent

    return_immediately: bool = False
    history_length: int | None = None
    task_push_notification_config: PushConfig | None = None


class SendParams(BaseModel):
    """Of SendMessage and SendStreamingMessage."""

    model_config = _AsSent

    message: TaskMessage
    configuration: SendConfiguration = Field(default_factory=SendConfiguration)


class TaskParams(BaseModel):
    """Of the methods about one task."""

    model_config = _AsSent

    id: _Id
    history_length: int | None = None


class PushParams(BaseModel):
    """Of the methods about a task's push notifications."""

    model_config = _AsSent

    task_id: _Id


_Params = TypeVar("_Params", bound=BaseModel)


def params_as(kind: type[_Params], params: Mapping[str, Any]) -> _Params:
    """Parse a method's parameters. Raises RpcError: they do not fit."""
    try:
        return kind.model_validate(params)
    except ValidationError as error:
        raise RpcError(INVALID_PARAMS, str(invalid(error, "params"))) from error


def read_call(body: bytes) -> RpcRequest:
    """Parse the call in a request's body. Raises RpcError: it is not a call. TooLargeError: it has too many values."""
    check_values(body)
    try:
        call = RpcRequest.model_validate_json(body)
    except ValidationError as error:
        kind = NOT_JSON if is_no_json(error) else INVALID_REQUEST
        raise RpcError(kind, str(invalid(error, "request"))) from error
    return call


def check_version(request: Request) -> None:
    """Refuse a call of another version of the protocol. Raises RpcError: it is one."""
    version = request.headers.get("a2a-version") or request.query_params.get("A2A-Version") or "0.3"
    if version.split(".")[:2] != VERSION.split("."):
        detail = f"this server speaks A2A {VERSION}, not {version[:20]}: send the header `A2A-Version: {VERSION}`"
        raise RpcError("VERSION_NOT_SUPPORTED", detail)
