"""Files as a model is sent them: what each takes of its window, and those for which there is capacity.

A record names a file in a hundred bytes, and its model is sent a picture of a thousand tokens. Invariants: the newest
files come first, and take at most half of the room; the task's own always go. A file that is left out once stays so,
and is told by its name. Must not: read contents.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from baton.engine.commit.answers import History
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry, agent_takes
from baton.sdk.models.chain import models_of
from baton.sdk.models.provider_rules import file_tokens, rules_of, strictest
from baton.sdk.records.result_files import files_in_result
from baton.sdk.records.transcript import MODEL_ROLE, SESSION_ROLE
from baton.worker.conversation.conversation import BYTES_PER_TOKEN, sent_from

# Returns what a recorded file takes of a model's window, in bytes as they are counted here; 0: it is not sent.
Weighing = Callable[[Mapping[str, Any]], int]
# Files take at most this part of the room, as a divisor: the rest is for texts.
_SHARE = 2


def weighing(registry: Registry, agent: Agent) -> Weighing:
    """Return how much a file takes of the window of the agent's model."""
    models = models_of(registry.model_of(agent))
    rules = strictest(tuple([rules_of(*model.name.partition(":")[::2]) for model in models]))

    def weigh(file: Mapping[str, Any]) -> int:
        kind = file["mediaType"]
        if file.get("refused") or not agent_takes(registry, agent, kind):
            return 0
        return BYTES_PER_TOKEN * file_tokens(rules, kind, int(file.get("bytes") or 0))

    return weigh


def files_bytes(history: History, weigh: Weighing) -> int:
    """Return what all files that are sent with this history take."""
    named = [file for entry in history.transcript for file in entry.get("files", ())]
    named += [file for one in _exchanges(history) for file in one.get("files", ())]
    named += [file for call_id in history.results for file in sent_files(history.results[call_id])]
    return sum(map(weigh, named))


def sent_files(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the files that a recorded result names, but for those that are left out."""
    unsent = result.get("unsent", ())
    return [file for file in files_in_result(result.get("ok")) if file["name"] not in unsent]


def with_files_that_fit(history: History, weigh: Weighing, limit_bytes: int) -> History:
    """Return the history without the files that have no room; `limit_bytes`: of all that is sent of it."""
    own_bytes = sum(map(weigh, history.transcript[0].get("files", ()))) if history.transcript else 0
    capacity, (_, first_turn) = _Capacity(weigh, limit_bytes, own_bytes), sent_from(history)
    results = dict(history.results)
    for turn, call_id in _newest_calls(history):
        capacity.is_full = capacity.is_full or turn < first_turn
        names = [file["name"] for file in sent_files(results.get(call_id, {})) if not capacity.has(file)]
        if names:
            results[call_id] = {**results[call_id], "unsent": names}
    capacity.is_full = capacity.is_full or first_turn > 0
    transcript = tuple(
        [
            _exchanges_that_fit(entry, capacity) if entry["role"] == SESSION_ROLE else entry
            for entry in history.transcript
        ]
    )
    return replace(history, transcript=transcript, results=results, memo={}) if capacity.left_out else history


def first_turn_with_files(history: History) -> int:
    """Return the first turn of whose files all are sent; 1: those of the session's earlier messages are not; 0: all."""
    turns = [turn for turn, call_id in _newest_calls(history) if history.results.get(call_id, {}).get("unsent")]
    unsent = any(file.get("unsent") for one in _exchanges(history) for file in one.get("files", ()))
    return max(turns, default=-1) + 1 or int(unsent)


class _Capacity:
    """The room for files, newest first: once one does not fit, no older one is sent."""

    def __init__(self, weigh: Weighing, limit_bytes: int, own_bytes: int) -> None:
        self._weigh = weigh
        self._left_bytes = limit_bytes // _SHARE - own_bytes
        self._for_one_bytes = limit_bytes - own_bytes
        self.is_full = self.left_out = False

    def has(self, file: Mapping[str, Any]) -> bool:
        """Take the room for a file, if there is any: the newest may take all."""
        taken_bytes = self._weigh(file)
        if not taken_bytes:
            return True
        fits = not self.is_full and taken_bytes <= max(self._left_bytes, self._for_one_bytes)
        self._left_bytes, self._for_one_bytes = self._left_bytes - taken_bytes, 0
        self.is_full = self.is_full or not fits
        self.left_out = self.left_out or not fits
        return fits


def _newest_calls(history: History) -> Iterator[tuple[int, str]]:
    for entry in reversed(history.transcript):
        if entry["role"] == MODEL_ROLE:
            yield from ((int(entry["turn"]), call["id"]) for call in reversed(entry["calls"]))


def _exchanges(history: History) -> Iterator[Mapping[str, Any]]:
    for entry in history.transcript:
        if entry["role"] == SESSION_ROLE:
            yield from entry["exchanges"]


def _exchanges_that_fit(entry: dict[str, Any], capacity: _Capacity) -> dict[str, Any]:
    """Return a session's entry whose files that have no room are told by their names."""
    exchanges = list[dict[str, Any]]()
    for one in reversed(entry["exchanges"]):
        files = [
            file if capacity.has(file) else {**file, "refused": True, "unsent": True} for file in one.get("files", ())
        ]
        exchanges.insert(0, {**one, "files": files} if files else one)
    return {**entry, "exchanges": exchanges}
