"""What several have used of one job, together and apart, and the fields that say so. Pure."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from msgspec.structs import replace

from events.core.ends import COUNTED
from events.core.records import dump_usage, load_usage
from events.core.state import NOTHING_USED, Usage

# Of fields for what one of several calls has used that end at the same time, until the next turn adds it to the rest.
USED_APART = "used:"
_SUMS = ("appends", *COUNTED, "written", "counted")


def plus(used: Usage, added: Usage) -> Usage:
    """Both together."""
    return replace(used, **_sums(used, added, 1), updated_ms=max(used.updated_ms, added.updated_ms))


def less(used: Usage, before: Usage) -> Usage:
    """What was used since."""
    return Usage(**_sums(used, before, -1), updated_ms=used.updated_ms)


def _sums(used: Usage, other: Usage, sign: int) -> dict[str, Any]:
    return {name: getattr(used, name) + sign * getattr(other, name) for name in _SUMS}


def used_apart(job_id: str, stamp: str, used: Usage) -> tuple[str, str]:
    """A field for what was used by one of several, and its text, which names the job as a leg's does."""
    return f"{USED_APART}{job_id}:{stamp}", f'{{"job_id":"{job_id}",{dump_usage(used)[1:]}'


def apart_in(state: Mapping[str, str]) -> tuple[str, ...]:
    """The fields for what was used by one of several."""
    return tuple([name for name in state if name.startswith(USED_APART)])


def usage_in(job_id: str, state: Mapping[str, str]) -> dict[str, str]:
    """The fields that say together what a job has used."""
    own = f"usage:{job_id}"
    return {name: text for name, text in state.items() if name == own or name.startswith(f"{USED_APART}{job_id}:")}


def used_by(job_id: str, state: Mapping[str, str]) -> Usage:
    """What a job has used."""
    texts = usage_in(job_id, state)
    own = texts.pop(f"usage:{job_id}", "")
    return reduce(plus, map(load_usage, texts.values()), load_usage(own) if own else NOTHING_USED)
