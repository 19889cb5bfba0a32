"""The state of a run between its pieces of work: the items of the conversation, as the SDK sends them.

Each turn keeps the items that its request had beyond those of the turn before, and the answer whose calls are to be
made. Invariant: kept data is never rewritten, and it is all of the Responses API's own JSON. Must not: run anything.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents import Usage
from agents.run_config import ModelInputData
from pydantic import TypeAdapter

from baton.sdk.agents.runner import Recorded
from baton.sdk.libraries.held_states import MessageForm, begun_state, require_own
from baton.sdk.libraries.recorded_errors import OUTCOMES
from baton.sdk.models.model import File
from baton.sdk.records.file_contents import FileContents

KIND, VERSION = "openai-agents-run", 1
_USAGE = TypeAdapter(Usage)
Items = list[Any]


@dataclass
class RunState:
    """A run as recorded so far.

    Attributes:
        earlier: the session's conversation before the job; empty: a handoff has replaced it.
        items: what the last request had beyond it, the task first.
        response: the output of the last answer, whose calls are made; empty: it has been taken up.
        agent: the name of the agent that goes on.
        turns: the number of model requests made.
        used: the agents that have called tools.
        sent: the user's messages since that request.
        resumed: whether a person has decided on one of the last calls, after which the SDK starts its agent again.
        begins: whether the agent has not begun: it was handed the run.
        handoffs: the ids of the last calls that hand the run on.
        instructions: of the last request.
        asked: what that request had in place of `items`, by a filter; None: them.
        files: large contents of the texts read.
    """

    earlier: Items
    items: Items = field(default_factory=Items)
    response: Items = field(default_factory=Items)
    agent: str = ""
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    nested: Usage = field(default_factory=Usage)
    used: list[str] = field(default_factory=list[str])
    sent: list[str] = field(default_factory=list[str])
    resumed: bool = False
    begins: bool = False
    handoffs: list[str] = field(default_factory=list[str])
    instructions: str | None = None
    asked: Items | None = None
    files: FileContents = field(default_factory=FileContents)

    @classmethod
    def of(cls, recorded: Recorded, up_to_turn: int | None = None) -> "RunState":
        """Read the recorded run, as `begun_state`: for a call, of the turns' items the task alone."""
        state = begun_state(recorded, cls, _FORM, up_to_turn)
        state.resumed, state.nested = False, Usage()
        for call in recorded.turns[-1]["calls"] if recorded.turns else ():
            stored = recorded.results.get(call["id"]) or call
            kept = stored.get("kept") or {}
            state.resumed |= bool(kept.get("approved")) or (stored.get("error") or {}).get("type") in OUTCOMES
            if "usage" in kept:
                state.nested.add(_USAGE.validate_python(kept["usage"]))
        usage, state.usage = state.usage, Usage()  # an open state keeps its own
        for one in (usage, state.nested):
            state.usage.add(one)
        return state

    def take(self, kept: Mapping[str, Any], turn: int, *, head: bool = False) -> None:
        """Take what a turn has kept. `head`: but for the items."""
        require_own(kept, turn, KIND, "the OpenAI Agents SDK", VERSION)
        if not head:
            self.items[kept["from"] :] = json.loads(self.files.whole(kept["items"]))
        if kept.get("whole"):
            self.earlier = []
            self.asked = json.loads(self.files.whole(kept["sent"])) if "sent" in kept else None
        self.instructions = kept.get("instructions", self.instructions)
        self.response = json.loads(kept["response"])
        self.agent, self.turns, self.used = kept["agent"], kept["turns"], kept["used"]
        self.begins, self.handoffs = kept["begins"], kept["handoffs"]
        self.usage = _USAGE.validate_python(kept["usage"])

    def kept(
        self,
        items: Items,
        response: Items,
        agent: str,
        usage: Usage,
        handoffs: Sequence[str] = (),
        *,
        begins: bool = False,
        asked: ModelInputData | None,
    ) -> dict[str, Any]:
        """Return the data to keep of a turn.

        `items`: of its request, `earlier` ones included. `asked`: it after the user's filter; None: there was none.
        """
        whole = bool(self.earlier) and items[: len(self.earlier)] != self.earlier
        new = items if whole else items[len(self.earlier) :]
        first = 0 if whole else _same(self.items, new)
        return {
            "kind": KIND,
            "version": VERSION,
            "from": first,
            "items": self.files.short(json.dumps(new[first:])),
            "response": json.dumps(response),
            "agent": agent,
            "begins": begins,
            "handoffs": list(handoffs),
            "turns": self.turns + (asked is not None),
            "used": self.used,
            "usage": _USAGE.dump_python(usage, mode="json", exclude={"request_usage_entries"}),
            **({"whole": True} if whole else {}),
            **({"instructions": asked.instructions} if asked and asked.instructions != self.instructions else {}),
            **({"sent": self.files.short(json.dumps(asked.input))} if asked and asked.input != items else {}),
        }


def _same(known: Items, items: Items) -> int:
    count = min(len(known), len(items))
    if known[:count] == items[:count]:
        return count
    return next(at for at in range(count) if known[at] != items[at])


def messages_of(
    turns: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]], *, sent: bool = False
) -> str:
    """Return a job's items, with the last answer and the results of its calls so far; empty: no run of the SDK.

    `sent`: those of the last request.
    """
    if not turns or any((entry.get("provider") or {}).get("kind") != KIND for entry in turns):
        return ""
    state = RunState([], files=FileContents(complete=False))
    for entry in turns:
        state.take(entry["provider"], entry["turn"])
    if sent:
        system = [{"role": "system", "content": state.instructions}] if state.instructions else []
        return json.dumps([*system, *(state.items if state.asked is None else state.asked)])
    outputs: Items = []
    asked = [item for item in state.response if item.get("type") == "function_call"]
    for item, call in zip(asked, turns[-1]["calls"], strict=False):
        stored = results.get(call["id"]) or call
        if "ok" in stored or "error" in stored:
            outputs.append({"type": "function_call_output", "call_id": item["call_id"], "output": output_of(stored)})
    return json.dumps([*state.items, *state.response, *outputs])


def output_of(stored: Mapping[str, Any]) -> Any:
    """Return the output of a call as the model gets it."""
    if error := stored.get("error"):
        return error["message"]
    kept = (stored.get("kept") or {}).get("output")
    return kept if kept is not None else str(stored["ok"])


def user_item(text: str, files: Sequence[File]) -> dict[str, Any]:
    """Return a user's message with its files."""
    return {"role": "user", "content": [{"type": "input_text", "text": text}, *map(_content, files)] if files else text}


def _content(file: File) -> dict[str, Any]:
    data = file.standard_data
    url = file.url or (f"data:{file.media_type};base64,{data}" if data else "")
    if not url:
        return {"type": "input_text", "text": f"[file {file.filename or file.media_type}, no longer kept]"}
    if file.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": url, "detail": "auto"}
    named = {"file_url": url} if file.url else {"file_data": url, "filename": file.filename or "file"}
    return {"type": "input_file", **named}


_FORM = MessageForm(json.loads, user_item, lambda text: {"role": "assistant", "content": text})
