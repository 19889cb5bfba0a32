"""The entries of a job's transcript: how they are written, and how those of an older version are read.

An entry is a JSON object with a `role`, its version `v`, and what the role needs. Invariant: what is written stays as
it is; a reader brings it to today's form. Must not: know any provider; what one of them needs back is kept as it came.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered
from baton.sdk.records import ENTRY_VERSION, MEMORY_ROLE
from baton.sdk.redaction import redacted
from baton_events.ids import canonical_json

WITHHELD_ROLE = "withheld"

_Entry = TypeVar("_Entry")


class NewerEntryError(ValueError):
    """The entry was written by a newer version of this code, in the middle of a deploy."""


def task_entry(task: dict[str, Any]) -> str:
    """The first entry: `{"role": "user", "text": …, "data": {…}}`."""
    return canonical_json({**task, "role": "user", "v": ENTRY_VERSION})


def model_entry(turn: int, answer: ModelAnswered, records: tuple[CallRecord, ...]) -> str:
    """What the model said in a turn. `provider` in it is what its provider wants to see again; nobody else reads it.

    `usage` and `request` (digests of the question) are told to no model: by them a recorded run can be played back.
    """
    return canonical_json(_streamed_text(turn, answer, records))


def withheld_entry(turn: int, attempt: int, answer: ModelAnswered, records: tuple[CallRecord, ...]) -> str:
    """What the model said in an attempt of a turn that a limit made nothing of. No model is told of it."""
    return canonical_json({**_streamed_text(turn, answer, records), "role": WITHHELD_ROLE, "attempt": attempt})


def _streamed_text(turn: int, answer: ModelAnswered, records: tuple[CallRecord, ...]) -> dict[str, Any]:
    calls = [_call(record) for record in records]
    entry: dict[str, Any] = {"role": "model", "v": ENTRY_VERSION, "turn": turn, "text": answer.text, "calls": calls}
    if answer.provider is not None:
        entry["provider"] = answer.provider
    if answer.estimated_tokens and answer.input_tokens:
        entry["tokens"] = {"estimated": answer.estimated_tokens, "input": answer.input_tokens}
    if usage := _usage(answer):
        entry["usage"] = usage
    if answer.request_digests is not None:
        entry["asked"] = answer.request_digests
    return entry


def _usage(answer: ModelAnswered) -> dict[str, Any]:
    """What the answer cost; nothing for what is 0."""
    usage = {
        "inputTokens": answer.input_tokens,
        "outputTokens": answer.output_tokens,
        "cachedInputTokens": answer.cached_input_tokens,
        "costUsd": answer.cost_usd,
        "cached": answer.cached,
    }
    return {name: value for name, value in usage.items() if value}


def recalled(first_entries: Sequence[str]) -> dict[str, Any] | None:
    """What was retrieved of memory for the job, from its first two entries; None: nothing (yet)."""
    entry: dict[str, Any] = json.loads(first_entries[1]) if len(first_entries) > 1 else {}
    return entry if entry.get("role") == MEMORY_ROLE else None


def upcast(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry in today's form. Entries without a version are the first ones; they had the same fields.

    Raises:
        NewerEntryError: it is of a version that this code does not know.
    """
    version = entry.get("v", 0)
    if not isinstance(version, int) or version > ENTRY_VERSION:
        raise NewerEntryError(
            f"an entry of the transcript has version {version!r}, this code knows up to {ENTRY_VERSION};"
            " run the newer version, which wrote it"
        )
    return {**entry, "v": ENTRY_VERSION}


def upcast_all(entries: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """All of them, and the same tuple where there is nothing to do: mostly.

    Raises:
        NewerEntryError: one is of a version that this code does not know.
    """
    for entry in entries:
        if entry.get("v") != ENTRY_VERSION:
            return tuple(map(upcast, entries))
    return entries


def uncompacted(entries: Sequence[_Entry], compacted: tuple[int, int]) -> tuple[_Entry, ...]:
    """What a model is still told: without those from the first position up to the second, which are summed up."""
    return (*entries[: compacted[0]], *entries[compacted[1] :])


def calls_in(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the tool calls that these entries ask for, in order."""
    return [call["id"] for entry in entries for call in entry.get("calls", ())]


def _call(record: CallRecord) -> dict[str, Any]:
    """A call in the transcript; one that could not run has its error here, since nothing else is recorded of it."""
    request: dict[str, Any] = {"id": record.id, "tool": record.tool, "arguments": redacted(record.arguments)}
    if record.step:
        request |= {"step": record.step, "dependsOn": sorted(record.after)}
    if record.error:
        request["error"] = {"type": record.error.type, "message": record.error.message}
    return request
