"""How records are kept in the store and carried by a submission: compact JSON.

Unknown fields of a newer version are ignored on reading.
"""

import json
from typing import Any

from pydantic import TypeAdapter

from events.core.admission import Entry, Standing
from events.core.ends import AgentFigures, End
from events.core.legs import Leg
from events.core.limits import Spend
from events.core.state import CallRecord, Job, Usage

_JOB = TypeAdapter(Job)
_LEG = TypeAdapter(Leg)
_CALL = TypeAdapter(CallRecord)
_USAGE = TypeAdapter(Usage)
_SPEND = TypeAdapter(Spend)
_STANDING = TypeAdapter(Standing)
_ENTRY = TypeAdapter(Entry)
_END = TypeAdapter(End)
_FIGURES = TypeAdapter(AgentFigures)


def dump_job(job: Job) -> str:
    """A job's state as JSON text."""
    return _JOB.dump_json(job).decode()


def load_job(text: str) -> Job:
    """A job's state from JSON text."""
    return _JOB.validate_json(text)


def job_from(values: dict[str, Any]) -> Job:
    """A job's state from decoded JSON, as a submission carries it."""
    return _JOB.validate_python(values)


def job_values(job: Job) -> dict[str, Any]:
    """A job's state as plain JSON values."""
    values: dict[str, Any] = _JOB.dump_python(job, mode="json")
    return values


def dump_leg(leg: Leg) -> str:
    """A leg as JSON text."""
    return _LEG.dump_json(leg).decode()


def load_leg(text: str) -> Leg:
    """A leg from JSON text."""
    return _LEG.validate_json(text)


def dump_call(record: CallRecord) -> str:
    """A tool call as JSON text."""
    return _CALL.dump_json(record).decode()


def load_call(text: str) -> CallRecord:
    """A tool call from JSON text."""
    return _CALL.validate_json(text)


def dump_standing(standing: Standing) -> str:
    """A job's standing with the admission as JSON text."""
    return _STANDING.dump_json(standing).decode()


def load_standing(text: str) -> Standing:
    """A job's standing with the admission from JSON text."""
    return _STANDING.validate_json(text)


def load_entry(text: str) -> Entry:
    """An entry of the admission's book from JSON text."""
    return _ENTRY.validate_json(text)


def dump_end(end: End) -> str:
    """What an ended job adds to the figures, as JSON text."""
    return _END.dump_json(end).decode()


def load_figures(text: str) -> AgentFigures:
    """What the ended jobs of an agent add up to, from JSON text."""
    return _FIGURES.validate_json(text)


def load_usage(text: str) -> Usage:
    """A job's usage from JSON text."""
    return _USAGE.validate_json(text)


def load_spend(text: str) -> Spend:
    """What the jobs below one have used, from JSON text; empty: nothing."""
    return _SPEND.validate_json(text) if text else Spend()


def load_results(texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Stored results by call id."""
    return {call_id: json.loads(text) for call_id, text in texts.items()}
