"""The body of AG-UI's requests, `RunAgentInput` of protocol 1.0, as far as it is read.

Only the user's newest message counts: the earlier ones are in the store, and are not taken from a client.

Source: https://docs.ag-ui.com/spec/1.0/schema.json.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from baton.sdk.records.any_json import AnyJson
from baton.server.api.jobs.approvals import ApprovalAnswer
from baton.server.api.problem import invalid_by, parsed
from baton.settings.limits import MESSAGES, PARTS, SESSION_LIMIT_CHARS

_ID_LIMIT_CHARS = 200
_ReadAsSent = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)
# The fields of the input that the model gets beside the message.
_SENT = ("state", "context", "forwarded_props")


class RunMessage(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", frozen=True)

    id: Annotated[str, Field(max_length=_ID_LIMIT_CHARS)] = ""
    role: str
    content: AnyJson = None


class ResumeEntry(BaseModel):
    """An answer to an interrupt."""

    model_config = _ReadAsSent

    interrupt_id: Annotated[str, Field(min_length=1, max_length=400)]
    status: Literal["resolved", "cancelled"]
    payload: AnyJson = None


class RunContext(BaseModel):
    """Something that the agent is to know."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    description: str
    value: str


class RunTool(BaseModel):
    """A tool of the front end."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str


class RunAgentInput(BaseModel):
    """A run: a message to answer, or the answers to the interrupts of the run before."""

    model_config = _ReadAsSent

    thread_id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)]
    run_id: Annotated[str, Field(min_length=1, max_length=_ID_LIMIT_CHARS)]
    messages: Annotated[list[RunMessage], Field(max_length=MESSAGES)]
    state: AnyJson = None
    tools: list[RunTool] = Field(default_factory=list[RunTool], max_length=PARTS)
    context: list[RunContext] = Field(default_factory=list[RunContext], max_length=PARTS)
    forwarded_props: AnyJson = None
    resume: list[ResumeEntry] = Field(default_factory=list[ResumeEntry], max_length=PARTS)

    @property
    def place(self) -> int:
        """The position of the user's newest message; -1: there is none."""
        return max((place for place, message in enumerate(self.messages) if message.role == "user"), default=-1)

    @property
    def asked(self) -> RunMessage:
        return self.messages[self.place]

    @property
    def data(self) -> dict[str, Any]:
        """The model's data beside the message's text; empty fields are left out."""
        sent = self.model_dump(mode="json", by_alias=True, include=set(_SENT))
        return {name: value for name, value in sent.items() if value not in (None, [], {}, "")}

    @property
    def text(self) -> str:
        parts = _parts(self.asked)
        return "\n".join(part["text"] for _, part in parts if part["type"] == "text")

    @property
    def file_parts(self) -> list[tuple[str, dict[str, Any]]]:
        """The files that the user sends, in AI SDK's form, each with its field."""
        at = f"messages.{self.place}.content"
        parts = _parts(self.asked)
        return [(f"{at}.{place}", _file(part)) for place, part in parts if part["type"] != "text"]


def read_run_input(body: bytes) -> RunAgentInput:
    """Parse the body of a run. Raises ApiError: 400 not JSON, 422 with every fault otherwise."""
    read = parsed(RunAgentInput, body)
    faults = _resume_faults(read) if read.resume else _message_faults(read)
    if faults:
        raise invalid_by(faults)
    return read


def answer_of(entry: ResumeEntry) -> ApprovalAnswer:
    """Convert an answer to a decision. A cancelled one is a rejection, since the job waits for nothing else."""
    if entry.status == "cancelled":
        return ApprovalAnswer.model_validate({"approved": False, "reason": "cancelled without an answer"})
    return ApprovalAnswer.model_validate(entry.payload)


def _resume_faults(read: RunAgentInput) -> list[tuple[str, str]]:
    faults = list[tuple[str, str]]()
    for place, entry in enumerate(read.resume):
        try:
            answer_of(entry)
        except ValidationError as error:
            field = f"resume.{place}.payload"
            wanted = '{"approved": true or false, "editedArgs"?: {…}, "reason"?: "…"}'
            faults.append((field, f"it must be {wanted}: {error.errors()[0]['msg']}"))
    return faults


def _message_faults(read: RunAgentInput) -> list[tuple[str, str]]:
    if read.place < 0:
        return [("messages", "there is no message of the user to answer, and no interrupt is answered by `resume`")]
    asked, field = read.asked, f"messages.{read.place}"
    if not asked.id:
        return [(f"{field}.id", "the message needs an id")]
    if not isinstance(asked.content, str | list):
        return [(f"{field}.content", "it must be a text, or a list of parts")]
    if isinstance(asked.content, list) and len(asked.content) > PARTS:
        return [(f"{field}.content", f"the message has {len(asked.content)} parts; at most {PARTS}")]
    faults = [(f"{field}.content.{place}", fault) for place, part in _all_parts(asked) if (fault := _part_fault(part))]
    if not faults and not read.text.strip() and not read.file_parts:
        faults.append((f"{field}.content", "there is no text to answer"))
    return faults


def _part_fault(part: Any) -> str:
    """Return the fault of a part; empty if this check finds none."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return "" if isinstance(part.get("text"), str) else "its `text` is missing"
    if kind not in ("image", "audio", "video", "document"):
        return f"a part is a text, an image, audio, a video or a document, got {str(kind)[:40]!r}"
    source = part.get("source")
    if not isinstance(source, dict) or source.get("type") not in ("data", "url"):
        return "its source must be `data` or `url`: nobody here reads a provider's own files"
    if not isinstance(source.get("value"), str) or not isinstance(source.get("mimeType"), str):
        return "its source needs `value` and `mimeType`"
    return ""


def _all_parts(message: RunMessage) -> list[tuple[int, Any]]:
    if isinstance(message.content, str):
        return [(0, {"type": "text", "text": message.content})]
    return list(enumerate(message.content or []))


def _parts(message: RunMessage) -> list[tuple[int, dict[str, Any]]]:
    return [(place, part) for place, part in _all_parts(message) if not _part_fault(part)]


def _file(part: dict[str, Any]) -> dict[str, Any]:
    source = part["source"]
    value = source["value"]
    url = f"data:{source['mimeType']};base64,{value}" if source["type"] == "data" else value
    metadata = part.get("metadata")
    name = metadata.get("filename") if isinstance(metadata, dict) else None
    return {"type": "file", "mediaType": source["mimeType"], "url": url} | ({"filename": name} if name else {})
