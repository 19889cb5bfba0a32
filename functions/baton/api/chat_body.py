"""The body of `POST /api/chat`: what AI SDK's `useChat` sends (CONTRACT, Streams and chat).

Of the messages only the last one is read: what was said before is in the store, and is not taken from a client.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from baton.any_json import AnyJson
from baton.api.json_body import parsed
from baton.api.problem import ApiError
from baton.api.session_line import WhenBusy

Trigger = Literal["submit-message", "regenerate-message"]
SESSION_LIMIT_CHARS = 200
_MESSAGE_ID_LIMIT_CHARS = 200


class ChatMessage(BaseModel):
    """A message of the chat, as far as it is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, Field(max_length=_MESSAGE_ID_LIMIT_CHARS)] = ""
    role: str
    parts: list[AnyJson]


class ChatBody(BaseModel):
    """A chat client's request; its other fields are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)]
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    trigger: Trigger = "submit-message"
    message_id: Annotated[str, Field(max_length=_MESSAGE_ID_LIMIT_CHARS)] | None = None
    agent: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    when_busy: WhenBusy = "queue"

    @property
    def last(self) -> ChatMessage:
        """The message that asks for an answer."""
        return self.messages[-1]

    @property
    def text(self) -> str:
        """What the user says."""
        return "\n".join(part["text"] for part in self.last.parts)


def read_chat_body(body: bytes) -> ChatBody:
    """The body of a chat's request.

    Raises:
        ApiError: 400 not JSON, 422 with every fault otherwise.
    """
    read = parsed(ChatBody, body, explains=True)
    faults = _faults(read.last, f"messages.{len(read.messages) - 1}")
    if not faults and not read.text.strip():
        faults = [(f"messages.{len(read.messages) - 1}.parts", "there is no text to answer")]
    if faults:
        listed = "; ".join(f"{field}: {message}" for field, message in faults)
        raise ApiError(422, f"the body is not valid: {listed}", faults)
    return read


def _faults(last: ChatMessage, field: str) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if last.role != "user":
        faults.append((f"{field}.role", f"the last message must be the user's, got {last.role!r}"))
    if not last.id:
        faults.append((f"{field}.id", "the message needs an id: a request that is repeated is known by it"))
    wrong = [(index, part) for index, part in enumerate(last.parts) if not _is_text(part)]
    return faults + [(f"{field}.parts.{index}", _wrong_part(part)) for index, part in wrong]


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _wrong_part(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    got = f"got one of type {kind[:40]!r}" if isinstance(kind, str) and kind != "text" else "and this is none"
    return f'a part must be {{"type": "text", "text": "…"}}, {got}'
