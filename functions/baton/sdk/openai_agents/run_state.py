"""The state of a run between its pieces of work: the items of the conversation, as the SDK sends them.

Each turn keeps the items that its request had beyond those of the turn before, and the answer whose calls are to be
made. Invariant: kept data is never rewritten, and it is all of the Responses API's own JSON. Must not: run anything.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from agents import Usage
from agents.run_config import ModelInputData
from pydantic import TypeAdapter

from baton.sdk.agents.runner import Recorded
from baton.sdk.libraries.held_states import LibraryState, MessageForm, Results, stored_calls
from baton.sdk.libraries.recorded_errors import OUTCOMES
from baton.sdk.models.model import File

_USAGE = TypeAdapter(Usage)
Items = list[Any]


@dataclass
class RunState(LibraryState):
    """A run of the SDK as recorded so far; `earlier` is empty where a handoff has replaced it.

    Attributes:
        items: what the last request had beyond it, the task first.
        response: the output of the last answer, whose calls are made; empty: it has been taken up.
        agent: the name of the agent that goes on.
        turns: the number of model requests made.
        used: the agents that have called tools.
        resumed: whether a person has decided on one of the last calls, after which the SDK starts its agent again.
        begins: whether the agent has not begun: it was handed the run.
        handoffs: the ids of the last calls that hand the run on.
        instructions: of the last request.
        asked: what that request had in place of `items`, by a filter; None: them.
    """

    kind, library, version = "openai-agents-run", "the OpenAI Agents SDK", 1
    items: Items = field(default_factory=Items)
    response: Items = field(default_factory=Items)
    agent: str = ""
    turns: int = 0
    usage: Usage = field(default_factory=Usage)
    nested: Usage = field(default_factory=Usage)
    used: list[str] = field(default_factory=list[str])
    resumed: bool = False
    begins: bool = False
    handoffs: list[str] = field(default_factory=list[str])
    instructions: str | None = None
    asked: Items | None = None

    @classmethod
    def of(cls, recorded: Recorded, up_to_turn: int | None = None) -> Self:
        """Read the recorded run: for a call, of the turns' items the task alone."""
        state = super().of(recorded, up_to_turn)
        state.resumed, state.nested = False, Usage()
        for _, stored in stored_calls(recorded.turns[-1], recorded.results) if recorded.turns else ():
            kept = stored.get("kept") or {}
            state.resumed |= bool(kept.get("approved")) or (stored.get("error") or {}).get("type") in OUTCOMES
            if "usage" in kept:
                state.nested.add(_USAGE.validate_python(kept["usage"]))
        usage, state.usage = state.usage, Usage()  # an open state keeps its own
        for one in (usage, state.nested):
            state.usage.add(one)
        return state

    def take(self, kept: Mapping[str, Any], turn: int, *, head: bool = False) -> None:  # noqa: ARG002 - of all
        """Take what a turn has kept. `head`: but for the items."""
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
            "kind": self.kind,
            "version": self.version,
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

    def request(self) -> str:
        """Return the items of the last request."""
        system = [{"role": "system", "content": self.instructions}] if self.instructions else []
        return json.dumps([*system, *(self.items if self.asked is None else self.asked)])

    def conversation(self, turns: Sequence[Mapping[str, Any]], results: Results) -> str:
        """Return the job's items, with the last answer and the results of its calls so far."""
        asked = [item for item in self.response if item.get("type") == "function_call"]
        outputs = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": output_of(stored)}
            for item, (_, stored) in zip(asked, stored_calls(turns[-1], results), strict=False)
            if "ok" in stored or "error" in stored
        ]
        return json.dumps([*self.items, *self.response, *outputs])


def _same(known: Items, items: Items) -> int:
    count = min(len(known), len(items))
    if known[:count] == items[:count]:
        return count
    return next(at for at in range(count) if known[at] != items[at])


def output_of(stored: Mapping[str, Any]) -> Any:
    """Return the output of a call as the model gets it."""
    if error := stored.get("error"):
        return error["message"]
    kept = (stored.get("kept") or {}).get("output")
    return kept if kept is not None else str(stored["ok"])


def _user(text: str, files: Sequence[File]) -> dict[str, Any]:
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


RunState.form = MessageForm(json.loads, _user, lambda text: {"role": "assistant", "content": text})
