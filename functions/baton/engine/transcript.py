"""The entries of a job's transcript: how they are written, and which of them this code can read.

An entry is a JSON object with a `role`, its version `v`, and what the role needs. Invariant: what is written stays as
it is. Must not: know any provider; data of a provider is kept as it came.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import ENTRY_VERSION, MEMORY_ROLE, WITHHELD_ROLE
from baton_events.ids import canonical_json

_Entry = TypeVar("_Entry")


class NewerEntryError(ValueError):
    """The entry was written by a newer version of this code, in the middle of a deploy."""


def task_entry(task: dict[str, Any]) -> str:
    """Return the first entry: `{"role": "user", "text": …, "data": {…}}`."""
    return canonical_json({**task, "role": "user", "v": ENTRY_VERSION})


def model_entry(turn: int, answer: ModelAnswered, records: tuple[CallRecord, ...]) -> str:
    """Return the entry of a model's answer in a turn. Its `provider` is data that only that provider reads again.

    `usage` and `requestDigests` are sent to no model: a recorded run is played back by them.
    """
    return canonical_json(_streamed_text(turn, answer, records))


def withheld_entry(turn: int, attempt: int, answer: ModelAnswered, records: tuple[CallRecord, ...]) -> str:
    """Return the entry of an answer that a limit kept from taking effect. No model gets it."""
    return canonical_json({**_streamed_text(turn, answer, records), "role": WITHHELD_ROLE, "attempt": attempt})


def ended_entry(turn: int, attempt: int, provider: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a turn whose answer has ended its run as failed. No model gets it."""
    entry = {"role": WITHHELD_ROLE, "v": ENTRY_VERSION, "turn": turn, "attempt": attempt}
    return {**entry, "text": "", "calls": [], "provider": provider}


def _streamed_text(turn: int, answer: ModelAnswered, records: tuple[CallRecord, ...]) -> dict[str, Any]:
    calls = [_call(record) for record in records]
    entry: dict[str, Any] = {"role": "model", "v": ENTRY_VERSION, "turn": turn, "text": answer.text, "calls": calls}
    if answer.provider is not None:
        entry["provider"] = answer.provider
    if answer.estimated_tokens and answer.input_tokens:
        entry["tokens"] = {"estimated": answer.estimated_tokens, "input": answer.input_tokens}
    if any(answer.sent_from):
        entry["sentFrom"] = list(answer.sent_from)
    if usage := _usage(answer):
        entry["usage"] = usage
    if answer.cut:
        entry["cut"] = True
    if answer.request_digests is not None:
        entry["requestDigests"] = answer.request_digests
    return entry


def _usage(answer: ModelAnswered) -> dict[str, Any]:
    usage = {
        "inputTokens": answer.input_tokens,
        "outputTokens": answer.output_tokens,
        "cachedInputTokens": answer.cached_input_tokens,
        "costUsd": answer.cost_usd,
        "cached": answer.cached,
    }
    return {name: value for name, value in usage.items() if value}


def recalled(first_entries: Sequence[str]) -> dict[str, Any] | None:
    """Return the memory retrieved for the job, from its first two entries; None: none (yet)."""
    entry: dict[str, Any] = json.loads(first_entries[1]) if len(first_entries) > 1 else {}
    return entry if entry.get("role") == MEMORY_ROLE else None


def refuse_newer(entries: Iterable[Mapping[str, Any]]) -> None:
    """Leave entries to a newer version of this code, if one has written any of them.

    Raises NewerEntryError: one has.
    """
    for entry in entries:
        if entry.get("v", ENTRY_VERSION) != ENTRY_VERSION:
            raise NewerEntryError(
                f"an entry of the transcript has version {entry['v']!r}, this code knows up to {ENTRY_VERSION};"
                " run the newer version, which wrote it"
            )


def uncompacted(entries: Sequence[_Entry], compacted: tuple[int, int]) -> tuple[_Entry, ...]:
    """Return the entries that a model still gets: without the compacted range, which is summed up."""
    return (*entries[: compacted[0]], *entries[compacted[1] :])


def calls_in(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ids of the tool calls that these entries request, in order."""
    return [call["id"] for entry in entries for call in entry.get("calls", ())]


def _call(record: CallRecord) -> dict[str, Any]:
    """Return a call for the transcript; one that could not run has its error here, its only record."""
    request: dict[str, Any] = {"id": record.id, "tool": record.tool, "arguments": redacted(record.arguments)}
    if record.step:
        request |= {"step": record.step, "dependsOn": sorted(record.after)}
    if record.error:
        request["error"] = {"type": record.error.type, "message": record.error.message}
    return request
