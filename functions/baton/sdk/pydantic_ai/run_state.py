"""The state of a run between its pieces of work: JSON, and its form for pydantic-ai.

Each turn keeps the messages that it added, under `provider` of its entry in the transcript; each call keeps its part of
the next request. Invariant: kept data is never rewritten; everything that can be counted from the messages is counted
from them. Must not: run anything.
"""

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeGuard

import pydantic_ai as ai
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import PydanticSerializationError

from baton.sdk.agents.runner import Recorded, RunFailedError
from baton.sdk.libraries.held_states import LibraryState, Results, stored_calls
from baton.sdk.libraries.recorded_errors import OUTCOMES, error_of_result
from baton.sdk.models.model import Message
from baton.sdk.models.model import ModelRequest as Question
from baton.sdk.models.through_pydantic_ai.messages import to_messages
from baton.sdk.pydantic_ai.run_objects import Changed, Held, with_call
from baton_events.values.json_value import recorded_json

Run = ai.AgentRun[Any, Any]
# The one private name of pydantic-ai that is used here: the call whose result an enqueued message goes next to. If it
# is gone, the message follows in a request of its own.
NEXT_TO = "_tool_call"
_JSON = ai.ModelMessagesTypeAdapter
# The same, but that no number becomes null: `Infinity` and `NaN` stand in the text, which is kept as one.
_NUMBERS = ConfigDict(ser_json_bytes="base64", ser_json_inf_nan="constants")
_KEPT = TypeAdapter(list[ai.ModelMessage], config=_NUMBERS)
_USAGE, _LISTS = TypeAdapter(ai.RunUsage), TypeAdapter(dict[str, list[ai.ToolDefinition]], config=_NUMBERS)
_COUNTS = frozenset(one.name for one in fields(ai.RunUsage))
_BESIDE = ("metadata", "tool_kind", "content_file_digests")  # of a result, what is kept with it
_SAME_AS_JSON = (str, int, bool, type(None))


def dumped(messages: Sequence[ai.ModelMessage]) -> str:
    """Dump messages as JSON text: an object would lose the order of names, which a model sees."""
    try:
        return _KEPT.dump_json(list(messages)).decode()
    except PydanticSerializationError:  # it may have half a character, where a library or a hook has put it
        return recorded_json(_KEPT.dump_python(list(messages), mode="json"), "messages")


def kept_of_turn(
    before: "RunState", messages: list[ai.ModelMessage], ids: Sequence[str], run: Run, held: Held
) -> dict[str, Any]:
    """Return the data to keep of a turn: new messages, what its objects hold, and the counts that no message has."""
    ctx, first = run.ctx, max(_first_new(before.history, messages), len(before.earlier))
    before.added = messages[first:]
    tools = ctx.deps.established_tool_names
    return {
        "kind": before.kind,
        "from": first - len(before.earlier),
        "messages": before.files.short(dumped(messages[first:])),
        "ids": list(ids),
        "outputRetries": ctx.state.output_retries_used,
        **({"tools": sorted(tools)} if tools is not None and tools != before.tools else {}),
        **({"lists": _LISTS.dump_json(dict(new)).decode()} if (new := before.lists.maps[0]) else {}),
        **({"outputModes": modes} if (modes := ctx.state.default_output_modes) != before.output_modes else {}),
        **({"runId": ctx.state.run_id} if not before.run_id else {}),
        **({"held": held} if held else {}),
        **_kept_counts(before, run, run.usage),
    }


def kept_of_end(before: "RunState", run: Run) -> dict[str, Any] | None:
    """Return the data to keep of a turn whose answer has ended the run; None: no model has answered in it."""
    messages = run.all_messages()
    new = messages[_first_new(before.history, messages) :]
    has_answer = any(isinstance(message, ai.ModelResponse) for message in new)
    return kept_of_turn(before, messages, [], run, {}) if has_answer else None


def _first_new(known: Sequence[ai.ModelMessage], messages: Sequence[ai.ModelMessage]) -> int:
    """Return the number of messages that are as known. Mostly all are, which is seen fastest by all their fields."""
    count = min(len(known), len(messages))
    if list(map(vars, known[:count])) == list(map(vars, messages[:count])):
        return count
    pairs = enumerate(zip(known, messages, strict=False))
    differ = (at for at, (one, other) in pairs if vars(one) != vars(other) and one != other and not _same(one, other))
    return next(differ, count)


def _same(known: ai.ModelMessage, message: ai.ModelMessage) -> bool:
    """Return whether a message has the known one's parts: pydantic-ai reorders results that it gets back."""
    if not isinstance(known, ai.ModelRequest) or not isinstance(message, ai.ModelRequest):
        return False
    if known.instructions != message.instructions:  # a correction gets them when it is sent
        return False
    return len(known.parts) == len(message.parts) and all(part in known.parts for part in message.parts)


def _kept_counts(before: "RunState", run: Run, usage: ai.RunUsage) -> dict[str, Any]:
    waiting, short = run.ctx.state.pending_messages, before.files.short
    kept = [[one.priority, getattr(one, NEXT_TO, None), short(dumped(one.messages))] for one in waiting]
    return {"usage": usage_json(usage), **({"pending": kept} if kept else {})}


def usage_json(usage: ai.RunUsage) -> dict[str, Any]:
    """Return the counts of a usage as JSON: mostly whole numbers of known names, for which the adapter takes long."""
    counts = vars(usage)
    if usage.cost is None and not usage.details and counts.keys() <= _COUNTS:
        return {name: count for name, count in counts.items() if count}
    return _USAGE.dump_python(usage, mode="json", exclude_defaults=True)  # type: ignore[no-any-return]


def usage_from(counts: Mapping[str, Any]) -> ai.RunUsage:
    """Return the usage that was recorded so."""
    if counts.keys() <= _COUNTS and set(map(type, counts.values())) <= {int}:
        return ai.RunUsage(**counts)
    return _USAGE.validate_python(counts)


def enqueue_again(run: Run, kept: Sequence[Any]) -> None:
    """Enqueue the messages that `ctx.enqueue` was given in another piece of the run."""
    priority, call, messages = kept
    run.enqueue(*_JSON.validate_json(messages), priority=priority)
    if call is not None:
        setattr(run.ctx.state.pending_messages[-1], NEXT_TO, (call[0], call[1]))


def kept_of_call(
    before: "RunState", parts: Sequence[ai.ModelRequestPart], run: Run, changed: Changed, *, late: bool
) -> tuple[Any, dict[str, Any]]:
    """Return a call's result as it is shown, and the data to keep of it. `late`: it follows those of other calls."""
    kept = _kept_counts(before, run, run.usage - before.usage)
    if changed:
        kept["changed"] = changed
    if late:
        kept["late"] = True
    if len(parts) == 1 and _is_bare(parts[0]):
        return parts[0].content, kept
    messages = dumped([ai.ModelRequest(parts=list(parts))])
    # Numbers that JSON has not are shown as texts; the model gets them as they are. A text may have such a word, too.
    odd = any(word in messages for word in ("NaN", "Infinity"))
    first, *others = json.loads(messages, parse_constant=str)[0]["parts"]
    more = [first.get(name) for name in _BESIDE]
    has_files = isinstance(parts[0], ai.ToolReturnPart) and bool(parts[0].files)
    if others or odd or has_files or first["outcome"] != "success" or any(one is not None for one in more):
        kept["messages"], first["content"] = before.files.short(messages), _without_data(first["content"])
    return first["content"] if first["outcome"] == "success" else {first["outcome"]: first["content"]}, kept


def _is_bare(part: ai.ModelRequestPart) -> TypeGuard[ai.ToolReturnPart]:
    """Return whether the part is a result with nothing beside it, and of a type that is the same as JSON."""
    if type(part) is not ai.ToolReturnPart or part.outcome != "success" or type(part.content) not in _SAME_AS_JSON:
        return False
    is_storable = not isinstance(part.content, str) or part.content.isascii()  # a hook may give half a character
    return is_storable and all(getattr(part, name, None) is None for name in _BESIDE)


def _without_data(content: Any) -> Any:
    """Return a result as it is shown: files without their bytes, which the messages have."""
    if isinstance(content, list):
        return [_without_data(one) for one in content]
    if isinstance(content, dict) and content.get("kind") == "binary":
        return {name: one for name, one in content.items() if name != "data"}
    return content


@dataclass
class RunState(LibraryState):
    """A run of pydantic-ai as recorded so far.

    Attributes:
        messages: the job's messages.
        ids: pydantic-ai's ids of the calls that the last turn made, by their position.
        nested: what agents within these calls have used.
        steps: the number of model requests made.
        polls: how often the provider has suspended the messages' last answer.
        requested_turn: the turn that made the last request.
        tools: the run's first tools, from which pydantic-ai distinguishes newer ones.
        output_modes: how each model's first request asked for the output, which later ones keep.
        pending: enqueued messages that were not sent yet, in kept form.
        answered: parts that answer these calls, in their order; parts for the model's user come last.
        lists: the tools of servers, listed now or before.
        run_id: pydantic-ai's id of the run; empty: its first piece is not recorded yet.
        held: what the objects of the run hold.
        failure: of a call: the run is failed of it, and fails unless a hook recovers it.
        added: the messages that the turn made here adds.
    """

    kind, library, complete = "pydantic-ai-run", "pydantic-ai", True
    messages: list[ai.ModelMessage] = field(default_factory=list[ai.ModelMessage])
    ids: tuple[str, ...] = ()
    usage: ai.RunUsage = field(default_factory=ai.RunUsage)
    nested: ai.RunUsage = field(default_factory=ai.RunUsage)
    output_retries: int = 0
    steps: int = 0
    polls: int = 0
    requested_turn: int = 0
    tools: set[str] | None = None
    output_modes: dict[str, Any] = field(default_factory=dict[str, Any])
    pending: list[Any] = field(default_factory=list[Any])
    answered: list[ai.ModelRequestPart] = field(default_factory=list[ai.ModelRequestPart])
    lists: ChainMap[str, list[ai.ToolDefinition]] = field(default_factory=lambda: ChainMap({}, {}))
    run_id: str = ""
    held: Held = field(default_factory=Held)
    failure: RunFailedError | None = None
    added: Sequence[ai.ModelMessage] = ()

    @classmethod
    def of(cls, recorded: Recorded, up_to_turn: int | None = None) -> Self:
        """Read the recorded run. `up_to_turn`: the last turn to read, whose calls are not answered yet."""
        state = super().of(recorded, up_to_turn)
        if recorded.turns and up_to_turn is None:
            state.take_results(recorded.turns[-1], recorded.results)
        state.sent = [text for turn, text in recorded.messages if turn >= state.requested_turn and not state.polls]
        return state

    @property
    def history(self) -> list[ai.ModelMessage]:
        """The earlier messages for pydantic-ai."""
        return [*self.earlier, *self.messages]

    @property
    def prompt(self) -> Any:
        parts = self.messages[0].parts if self.messages else []
        return next((part.content for part in parts if isinstance(part, ai.UserPromptPart)), None)

    @property
    def response(self) -> ai.ModelResponse:
        """The last answer of the model, whose calls are made."""
        last = self.messages[-1]
        if not isinstance(last, ai.ModelResponse):
            raise RunFailedError("unknown_run", "the run's last message is no answer of the model")
        return last

    def retries(self) -> dict[str, int]:
        """Count each tool's consecutive retries, as pydantic-ai does: a success resets the count."""
        counts: dict[str, int] = {}
        for message in [*self.messages, ai.ModelRequest(parts=self.answered)]:
            returned = [part for part in message.parts if isinstance(part, ai.ToolReturnPart)]
            retried = {p.tool_name for p in returned if p.retry and p.retry.cause != "unavailable_tool"}
            good = {p.tool_name for p in returned if p.outcome == "success"}
            more = {name: counts.get(name, 0) + 1 for name in retried}
            counts = {name: count for name, count in counts.items() if name not in good} | more
        return counts

    def take_turn(self, entry: Mapping[str, Any]) -> None:
        """Take the turn that was made here as it was recorded, with its messages as they are now."""
        self.lists.maps[1].update(self.lists.maps[0])
        self.lists.maps[0].clear()
        self.take(self._own(entry), entry["turn"], known=[_as_it_is(message) for message in self.added])
        self.sent = []

    def _take_turns(self, turns: Sequence[Mapping[str, Any]], results: Results, *, head: bool = False) -> None:
        """Take what turns have kept, and learn the files of the calls between them."""
        del head
        for entry, before in zip(turns, [None, *turns], strict=False):
            for _, stored in stored_calls(before, results) if before else ():
                kept = stored.get("kept") or {}
                self.files.whole(kept.get("messages", ""))
                self._whole_pending(kept)
            self.take(self._own(entry), entry["turn"])

    def take(
        self, kept: Mapping[str, Any], turn: int, *, head: bool = False, known: Sequence[ai.ModelMessage] = ()
    ) -> None:
        """Take what a turn has kept. `known`: its messages as they are now."""
        del head
        messages = self.files.whole(kept["messages"])
        self.messages[kept["from"] :] = known or _JSON.validate_json(messages)
        self.usage, self.output_retries = usage_from(kept["usage"]), kept["outputRetries"]
        self.pending = self._whole_pending(kept)
        self.tools = self.tools if kept.get("tools") is None else set(kept["tools"])
        self.output_modes = kept.get("outputModes", self.output_modes)
        if "lists" in kept:
            self.lists.maps[1].update(_LISTS.validate_json(kept["lists"]))
        self.run_id = kept.get("runId", self.run_id)
        self.held = kept.get("held", {})
        self.ids, self.answered = tuple(kept["ids"]), []
        last, polled = self.messages[-1], self.polls
        self.polls = self.polls + 1 if isinstance(last, ai.ModelResponse) and last.state == "suspended" else 0
        self.requested_turn = self.requested_turn if polled else turn
        if self.polls:
            self.usage.requests -= 1  # the request that continues the answer counts it again
        else:
            self.steps += 1

    def take_results(self, entry: Mapping[str, Any], results: Results) -> None:
        """Take the results of the last turn's calls: each next turn keeps those of the turns before."""
        parts: list[ai.ModelRequestPart] = []
        late: list[ai.ModelRequestPart] = []
        self.nested = ai.RunUsage()
        for tool_call_id, (call, stored) in zip(self.ids, stored_calls(entry, results), strict=False):
            kept = stored.get("kept") or {}
            try:
                made = self._parts(tool_call_id, call["tool"], stored)
            except RunFailedError as failure:
                self.failure = self.failure or failure
            else:
                (late if "late" in kept else parts).extend(made)
            self.held = with_call(self.held, kept.get("changed", {}))
            self.nested.incr(usage_from(kept.get("usage") or {}))
            self.pending += self._whole_pending(kept)
        self.usage.incr(self.nested)
        self.answered = sorted([*parts, *late], key=lambda part: isinstance(part, ai.UserPromptPart))

    def _whole_pending(self, kept: Mapping[str, Any]) -> list[Any]:
        return [[*others, self.files.whole(messages)] for *others, messages in kept.get("pending", ())]

    def _message(self, known: Message | str) -> list[ai.ModelMessage]:
        """Convert an earlier message of the session: recorded JSON, or a text."""
        if isinstance(known, str):
            return _JSON.validate_json(self.files.whole(known))
        return to_messages(Question("", (known,), (), 1))

    def request(self) -> str:
        """Return the messages up to the last request."""
        is_request = [isinstance(one, ai.ModelRequest) for one in self.messages]
        return dumped(self.messages[: len(is_request) - [*reversed(is_request), True].index(True)])

    def conversation(self, turns: Sequence[Mapping[str, Any]], results: Results) -> str:
        """Return the job's messages; the last one has the results of its last calls so far."""
        self.take_results(turns[-1], results)
        return dumped([*self.messages, *([ai.ModelRequest(parts=self.answered)] if self.answered else [])])

    def _parts(self, tool_call_id: str, tool: str, stored: Mapping[str, Any]) -> Sequence[ai.ModelRequestPart]:
        if error := error_of_result(stored):
            outcome: Any = OUTCOMES[error["type"]]
            message = error["message"]
            return [ai.ToolReturnPart(tool_name=tool, content=message, tool_call_id=tool_call_id, outcome=outcome)]
        if messages := (stored.get("kept") or {}).get("messages"):
            [request] = _JSON.validate_json(self.files.whole(messages))
            assert isinstance(request, ai.ModelRequest), "calls are answered by a request"
            return [_of_call(part, tool_call_id, request.parts[0]) for part in request.parts]
        return [ai.ToolReturnPart(tool_name=tool, content=stored["ok"], tool_call_id=tool_call_id)]


def _as_it_is(message: ai.ModelMessage) -> ai.ModelMessage:
    """Copy a message with its parts, so that a later change in place can be seen."""
    made: Any = copy(message)
    made.parts = [copy(part) for part in message.parts]
    return made  # type: ignore[no-any-return]


def _of_call(part: ai.ModelRequestPart, tool_call_id: str, first: ai.ModelRequestPart) -> ai.ModelRequestPart:
    """Give a part of a call's answer the id of this call: a fork's call is answered by a recorded one."""
    if not isinstance(part, ai.ToolReturnPart | ai.RetryPromptPart) or part.tool_call_id == tool_call_id:
        return part
    own = part.tool_call_id == getattr(first, "tool_call_id", "")
    return replace(part, tool_call_id=tool_call_id) if own else part
