"""The state of a graph between its pieces of work: LangGraph's own checkpoint, kept in the job's record.

Each turn keeps the messages that it added as LangChain's JSON, and the other channels that it changed as LangGraph
writes them. Invariant: kept data is never rewritten. Must not: run anything.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    message_to_dict,
    messages_from_dict,
)
from langgraph.checkpoint.base import WRITES_IDX_MAP, BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic_core import to_jsonable_python

from baton.sdk.agents.runner import RunFailedError
from baton.sdk.libraries.held_states import LibraryState, MessageForm, Results, stored_calls
from baton.sdk.models.model import NEWER_STATE, NOTHING_SPENT, File, ModelError, Spent

MESSAGES, SENDS, INTERRUPTED, RESUMED = "messages", "__pregel_tasks", "__interrupt__", "__resume__"
Typed = list[str]
Write = tuple[str, str, Any]
_SERDE = JsonPlusSerializer()
# Ids that LangChain makes where a message has none; those of providers stay.
_MADE_ID = re.compile(r"(lc_run--|run--|run-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-\d+)?")


def typed(value: Any, where: str) -> Typed:
    """Write a value as LangGraph does. Raises RunFailedError: it cannot be kept."""
    try:
        kind, data = _SERDE.dumps_typed(value)
    except Exception as error:
        text = f"{where} holds what cannot be kept between two steps: {error}; keep it in `context` or in a store"
        raise RunFailedError("state_not_kept", text) from error
    return [kind, base64.b64encode(data).decode()]


def untyped(kept: Typed) -> Any:
    """Read a value back."""
    return _SERDE.loads_typed((kept[0], base64.b64decode(kept[1])))


class RecordSaver(BaseCheckpointSaver[int]):
    """Keeps the last checkpoint of one run, with the writes of its tasks; those of graphs within it are not kept.

    Attributes:
        piece: its name in the run, which ids of messages are made of.
        made: by task: all that it has written, also before the checkpoint that took it in.
    """

    def __init__(self, checkpoint: Any, metadata: Any, writes: Sequence[Write], piece: str) -> None:
        super().__init__()
        self.checkpoint, self.metadata, self.writes, self.piece = checkpoint, metadata, list(writes), piece
        self.made: dict[str, list[tuple[str, Any]]] = {}
        self._named, self._known = 0, {one.id for one in _messages_in(checkpoint)}

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        if self.checkpoint is None or config["configurable"].get("checkpoint_ns"):
            return None
        return CheckpointTuple(self._at(config), self.checkpoint, self.metadata, None, list(self.writes))

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:  # noqa: ARG002 - a hook
        """Take a checkpoint, whose new messages get ids that are the same wherever the turn is repeated."""
        if config["configurable"].get("checkpoint_ns"):
            return config
        for message in _messages_in(checkpoint):
            if message.id is None or (message.id not in self._known and _MADE_ID.fullmatch(message.id)):
                self._named += 1
                message.id = f"{self.piece}-{self._named}"
        self.checkpoint, self.metadata, self.writes = checkpoint, metadata, []
        return self._at(config)

    async def aput_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:  # noqa: ARG002 - as above
        """Take what a task has written."""
        if config["configurable"].get("checkpoint_ns"):
            return
        for channel, value in writes:
            if channel in WRITES_IDX_MAP:
                self.writes = [one for one in self.writes if one[:2] != (task_id, channel)]
            self.writes.append((task_id, channel, value))
            self.made.setdefault(task_id, []).append((channel, value))

    def _at(self, config: Any) -> Any:
        thread = config["configurable"]["thread_id"]
        return {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": self.checkpoint["id"]}}


def learn_types_of(graph: Any) -> None:
    """Let values of the types that a graph's schemas name be read back, also where LangGraph is strict about them."""
    saver = RecordSaver(None, None, (), "")
    saver.serde = _SERDE
    vars(_SERDE).update(vars(graph.builder.compile(checkpointer=saver).checkpointer.serde))


def _messages_in(checkpoint: Any) -> Sequence[BaseMessage]:
    return checkpoint["channel_values"].get(MESSAGES, ()) if checkpoint else ()


@dataclass
class RunState(LibraryState):
    """A run of a graph as recorded so far.

    Attributes:
        messages: all of the run's.
        values: its other channels, as written.
        head: the checkpoint without its channels; empty: the run has not begun.
        metadata: of the checkpoint.
        asks: what middleware asks of people, before any call: the task that waits, and its question; empty: nothing.
        later: the user's messages that come behind such an answer.
        instructions: the system message of the last request, as text.
        asked: what that request had in place of `messages`, by middleware; empty: them, up to its answer.
        nested: what models within the last calls have used.
    """

    kind, library, version = "langgraph-run", "LangGraph", 1
    messages: list[BaseMessage] = field(default_factory=list[BaseMessage])
    values: dict[str, Typed] = field(default_factory=dict[str, Typed])
    head: dict[str, Any] = field(default_factory=dict[str, Any])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    asks: list[Any] = field(default_factory=list[Any])
    later: list[str] = field(default_factory=list[str])
    instructions: str = ""
    asked: list[BaseMessage] = field(default_factory=list[BaseMessage])
    nested: Spent = NOTHING_SPENT

    def take(self, kept: Mapping[str, Any], turn: int, *, head: bool = False) -> None:  # noqa: ARG002 - tools read all
        self.messages[kept["from"] :] = _read(self.files.whole(kept["messages"]))
        self.instructions = kept.get("instructions", self.instructions)
        self.asked = _read(self.files.whole(kept.get("sent", "[]")))
        self.values = {name: one for name, one in self.values.items() if name not in kept["gone"]} | kept["values"]
        self.head, self.metadata, self.asks = kept["head"], kept["metadata"], kept["asks"]
        self.later = kept.get("later", [])

    def saver(self, piece: str) -> RecordSaver:
        if not self.head:
            return RecordSaver(None, None, (), piece)
        try:
            values = {name: untyped(one) for name, one in self.values.items()}
        except Exception as error:
            raise ModelError(f"the record cannot be read: {error}", retryable=True, type=NEWER_STATE) from error
        # LangGraph changes the versions in its checkpoint.
        checkpoint = {**deepcopy(self.head), "channel_values": {**values, MESSAGES: [*self.messages]}}
        return RecordSaver(checkpoint, self.metadata, (), piece)

    def kept(self, saver: RecordSaver, asks: Sequence[Any], asked: Sequence[BaseMessage]) -> dict[str, Any]:
        """Return the data to keep of a turn. `asked`: its request; empty: it has made none."""
        system = asked[0].text if asked and isinstance(asked[0], SystemMessage) else ""
        rest = list(asked[1:] if system else asked)
        head = {name: value for name, value in saver.checkpoint.items() if name != "channel_values"}
        channels = dict(saver.checkpoint["channel_values"])
        messages = channels.pop(MESSAGES, [])
        values = {name: typed(value, f"channel {name}") for name, value in channels.items()}
        known = zip(self.messages, messages, strict=False)
        first = next((at for at, (one, other) in enumerate(known) if one is not other and one != other), None)
        first = min(len(self.messages), len(messages)) if first is None else first
        return {
            "kind": self.kind,
            "version": self.version,
            "earlier": len(self.earlier),
            "from": first,
            "messages": self.files.short(_dumped(messages[first:])),
            "values": {name: one for name, one in values.items() if self.values.get(name) != one},
            "gone": [name for name in self.values if name not in values],
            "head": to_jsonable_python(head),
            "metadata": {"step": saver.metadata.get("step", 0), "source": "loop", "parents": {}},
            "asks": list(asks),
            **({"later": self.later} if self.later else {}),
            **({"instructions": system} if asked and system != self.instructions else {}),
            **({"sent": self.files.short(_dumped(rest))} if rest != messages[: len(rest)] else {}),
        }

    def request(self) -> str:
        """Return the messages of the last request."""
        own = self.messages
        asked = self.asked or own[: len(own) - (bool(own) and isinstance(own[-1], AIMessage))]
        return _dumped([*([SystemMessage(self.instructions)] if self.instructions else []), *asked])

    def conversation(self, turns: Sequence[Mapping[str, Any]], results: Results) -> str:
        """Return the job's messages, with those of its last calls so far."""
        answers: list[Any] = []
        for _, stored in stored_calls(turns[-1], results):
            for _, value in (stored.get("kept") or {}).get("writes", ()):
                made = untyped(value)
                answers += [one for one in (made if isinstance(made, list) else [made]) if isinstance(one, BaseMessage)]
        return _dumped([*self.messages[turns[0]["provider"]["earlier"] :], *answers])


def _dumped(messages: Sequence[BaseMessage]) -> str:
    return json.dumps([to_jsonable_python(message_to_dict(one), fallback=str, bytes_mode="base64") for one in messages])


def _read(text: str) -> list[BaseMessage]:
    return messages_from_dict(json.loads(text))


def _user(text: str, files: Sequence[File]) -> HumanMessage:
    return HumanMessage([{"type": "text", "text": text}, *map(_content, files)] if files else text)


def _content(file: File) -> dict[str, Any]:
    if not (file.url or file.data):
        return {"type": "text", "text": f"[file {file.filename or file.media_type}, no longer kept]"}
    kind = next((one for one in ("image", "audio", "video") if file.media_type.startswith(one)), "file")
    where = {"url": file.url} if file.url else {"base64": file.standard_data, "mime_type": file.media_type}
    return {"type": kind, **where}


RunState.form = MessageForm(_read, _user, AIMessage)
