"""The stored form of records, which a submission carries, too: compact JSON.

Unknown fields of a newer version are ignored on reading. A record with a newer meaning (`STATE_VERSION`), or one that
cannot be read, is left to the newer version.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from msgspec import DecodeError, Struct, convert
from msgspec.json import Decoder, Encoder, decode
from pydantic_core import to_jsonable_python

from baton.engine.all_jobs.ends import AgentCounters
from baton.engine.all_jobs.scores import Score
from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Tombstone
from baton.engine.state import STATE_VERSION, CallRecord, Job, Usage
from baton.engine.work_items import WorkItem
from baton.sdk.records.limits import NOTHING_SPENT, Spend
from baton_events.errors import NewerVersionError

_T = TypeVar("_T")

_encode = Encoder(enc_hook=to_jsonable_python).encode
# Not strict: a script may write a whole number as `1e+14`.
_JOB = Decoder(Job, strict=False)
_ITEM = Decoder(WorkItem, strict=False)
_CALL = Decoder(CallRecord, strict=False)
_USAGE = Decoder(Usage, strict=False)
_SPEND = Decoder(Spend, strict=False)
_SLOT_STATE = Decoder(SlotState, strict=False)
_COUNTERS = Decoder(AgentCounters, strict=False)
_SCORE = Decoder(Score)
_TOMBSTONE = Decoder(Tombstone)


def read_record(decoder: Decoder[_T], text: str) -> _T:
    """Read a record from JSON text.

    Raises:
        NewerVersionError: this version cannot read it.
    """
    try:
        return decoder.decode(text)
    except DecodeError as error:
        raise NewerVersionError(
            f"a stored {decoder.type.__name__} cannot be read by this version ({error}): a newer one wrote it, or it is"
            " damaged"
        ) from error


def known(job: Job) -> Job:
    """Return a job that was read.

    Raises:
        NewerVersionError: a newer version of this code wrote it.
    """
    if job.version > STATE_VERSION:
        raise NewerVersionError(
            f"the state of job {job.id!r} has version {job.version}, this code reads {STATE_VERSION}: its messages"
            " come again until an instance of the newer version takes them"
        )
    return job


def dump(record: Struct) -> str:
    """Return a record as JSON text."""
    return _encode(record).decode()


def load_job(text: str) -> Job:
    """Load a job's state from JSON text.

    Raises:
        NewerVersionError: a newer version of this code wrote it.
    """
    return known(read_record(_JOB, text))


def job_from(values: dict[str, Any]) -> Job:
    """Convert a job's state from decoded JSON, as a submission carries it.

    Raises:
        NewerVersionError: a newer version of this code wrote it. msgspec.ValidationError: it is no job's state.
    """
    return known(convert(values, Job, strict=False))


def job_values(job: Job) -> dict[str, Any]:
    """Return a job's state as plain JSON values."""
    values: dict[str, Any] = decode(_encode(job))
    return values


def load_item(text: str) -> WorkItem:
    """Load a work item from JSON text."""
    return read_record(_ITEM, text)


def load_call(text: str) -> CallRecord:
    """Load a tool call from JSON text."""
    return read_record(_CALL, text)


def load_slot_state(text: str) -> SlotState:
    """Load a job's slot state from JSON text."""
    return read_record(_SLOT_STATE, text)


def load_counters(text: str) -> AgentCounters:
    """Load the sums of an agent's ended jobs from JSON text."""
    return read_record(_COUNTERS, text)


def load_score(text: str) -> Score:
    """Load a score from JSON text."""
    return read_record(_SCORE, text)


def load_tombstone(text: str | None) -> Tombstone | None:
    """Load the record of a tree whose data is gone from JSON text."""
    return read_record(_TOMBSTONE, text) if text else None


def load_usage(text: str) -> Usage:
    """Load a job's usage from JSON text."""
    return read_record(_USAGE, text)


def load_spend(text: str) -> Spend:
    """Load the usage of the jobs below one from JSON text; empty: none."""
    return read_record(_SPEND, text) if text else NOTHING_SPENT


def load_results(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Load stored results, by call id."""
    return dict(zip(texts, load_values(texts.values()), strict=True))


def load_values(texts: Collection[str]) -> list[Any]:
    """Load the values of JSON texts, read as one text: a turn's history has many.

    Raises:
        ValueError: one of them is not the JSON of one value.
    """
    together = f"[{','.join(texts)}]"
    try:
        values: list[Any] = decode(together)
    except ValueError:  # numbers that it does not read, or no JSON: `json` has the better message
        values = json.loads(together)
    if len(values) != len(texts):
        raise ValueError(f"{len(texts)} JSON texts have {len(values)} values: the stored data is damaged")
    return values
