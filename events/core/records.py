"""How records are kept in the store and carried by a submission: compact JSON.

Unknown fields of a newer version are ignored on reading; a record that says that it means something else by what we
know (`STATE_VERSION`), or that cannot be read, is left to the newer version. What an older one wrote is brought to
today's form here, and nowhere else.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from events.core.admission import Entry, Standing
from events.core.ends import AgentFigures, End
from events.core.legs import Leg
from events.core.limits import NOTHING_SPENT, Spend
from events.core.state import STATE_VERSION, CallRecord, Job, Usage
from events.errors import NewerVersionError

_T = TypeVar("_T")
_RECENT_JOBS = 128
# Jobs by their texts, the oldest first.
_RECENT: dict[str, Job] = {}

_JOB = TypeAdapter(Job)
_LEG = TypeAdapter(Leg)
_CALL = TypeAdapter(CallRecord)
_USAGE = TypeAdapter(Usage)
_SPEND = TypeAdapter(Spend)
_STANDING = TypeAdapter(Standing)
_ENTRY = TypeAdapter(Entry)
_END = TypeAdapter(End)
_FIGURES = TypeAdapter(AgentFigures)


def _read(adapter: TypeAdapter[_T], text: str) -> _T:
    """A record from JSON text.

    Raises:
        NewerVersionError: this version cannot read it.
    """
    try:
        record: _T = adapter.validator.validate_json(text)
    except ValidationError as error:
        fault = error.errors()[0]
        where = f"{error.title}.{'.'.join(map(str, fault['loc']))}".rstrip(".")
        raise NewerVersionError(
            f"a stored {where} cannot be read by this version ({fault['msg']}): a newer one wrote it, or it is damaged"
        ) from error
    return record


def _known(job: Job) -> Job:
    if job.version > STATE_VERSION:
        raise NewerVersionError(
            f"the state of job {job.id!r} has version {job.version}, this code reads {STATE_VERSION}: what is about it"
            " comes again, until an instance of the newer version takes it"
        )
    return job


def dump_job(job: Job) -> str:
    """A job's state as JSON text."""
    text = _JOB.serializer.to_json(job).decode()
    if job.result is None:  # the COMMIT that writes it is told it again, with what it claims
        _remember(text, job)
    return text


def load_job(text: str) -> Job:
    """A job's state from JSON text.

    Raises:
        NewerVersionError: a newer version of this code wrote it.
    """
    # Every leg that a COMMIT claims comes with the job, which most of them have not changed: it is read once.
    job = _RECENT.get(text)
    if job is None:
        job = _read(_JOB, text)
        _remember(text, job)
    return _known(job)


def _remember(text: str, job: Job) -> None:
    if len(_RECENT) >= _RECENT_JOBS:
        _RECENT.pop(next(iter(_RECENT)), None)
    _RECENT[text] = job


def job_from(values: dict[str, Any]) -> Job:
    """A job's state from decoded JSON, as a submission carries it.

    Raises:
        NewerVersionError: a newer version of this code wrote it. pydantic.ValidationError: it is no job's state.
    """
    return _known(_JOB.validate_python(values))


def job_values(job: Job) -> dict[str, Any]:
    """A job's state as plain JSON values."""
    values: dict[str, Any] = _JOB.dump_python(job, mode="json")
    return values


def dump_leg(leg: Leg) -> str:
    """A leg as JSON text."""
    return _LEG.serializer.to_json(leg).decode()


def load_leg(text: str) -> Leg:
    """A leg from JSON text."""
    return _read(_LEG, text)


def dump_call(record: CallRecord) -> str:
    """A tool call as JSON text."""
    return _CALL.serializer.to_json(record).decode()


def load_call(text: str) -> CallRecord:
    """A tool call from JSON text."""
    return _read(_CALL, text)


def dump_standing(standing: Standing) -> str:
    """A job's standing with the admission as JSON text."""
    return _STANDING.dump_json(standing).decode()


def load_standing(text: str) -> Standing:
    """A job's standing with the admission from JSON text."""
    return _read(_STANDING, text)


def load_entry(text: str) -> Entry:
    """An entry of the admission's book from JSON text."""
    return _read(_ENTRY, text)


def dump_end(end: End) -> str:
    """What an ended job adds to the figures, as JSON text."""
    return _END.dump_json(end).decode()


def load_figures(text: str) -> AgentFigures:
    """What the ended jobs of an agent add up to, from JSON text."""
    return _read(_FIGURES, text)


def load_usage(text: str) -> Usage:
    """A job's usage from JSON text."""
    return _read(_USAGE, text)


def load_spend(text: str) -> Spend:
    """What the jobs below one have used, from JSON text; empty: nothing."""
    return _read(_SPEND, text) if text else NOTHING_SPENT


def load_results(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Stored results by call id."""
    return dict(zip(texts, load_values(texts.values()), strict=True))


def load_values(texts: Collection[str]) -> list[Any]:
    """The values of JSON texts, read as one text: a turn is told all that was said before.

    Raises:
        ValueError: one of them is not the JSON of one value.
    """
    together = f"[{','.join(texts)}]"
    try:
        values: list[Any] = from_json(together)
    except ValueError:  # nested deeper than it reads, or no JSON, which the other one tells better
        values = json.loads(together)
    if len(values) != len(texts):
        raise ValueError(f"{len(texts)} JSON texts have {len(values)} values: what is stored is damaged")
    return values
