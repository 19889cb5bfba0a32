"""Sums of ended jobs by day, agent, tenant and model, and the agent versions that they ran. Pure.

Invariant: a day has a bounded number of series, and one more with the rest, so that no day's sums are lost. Days and an
agent's versions are kept up to a number. A job counts on the day of its end, with the model that its agent had at
submission.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

from msgspec import Struct
from msgspec.json import Decoder, Encoder
from msgspec.structs import replace

from baton.engine.all_jobs.ends import End, with_used

# Prefix of the fields, among the days, with an agent's versions.
AGENT = "agent:"
DAYS_KEPT = 92
MOST_SERIES = 100
MOST_VERSIONS = 30
OTHER = "other"

Series = tuple[str, str, str]  # an agent, a tenant, a model
DaySums = dict[Series, dict[str, int]]
_OTHERS: Series = (OTHER, OTHER, OTHER)


class DayUsed(Struct, frozen=True):
    """The usage of jobs of an agent, a tenant and a model that ended on a day (`2026-11-25`).

    `used`: by the names of `End.used`, and by each status how many jobs ended with it.
    """

    day: str
    agent: str
    tenant: str
    model: str
    used: dict[str, int]


class VersionSeen(Struct, frozen=True):
    """A version of an agent: when the first and the last of its jobs ended, and how many did."""

    version: str
    first_ms: int
    last_ms: int
    runs: int
    model: str = ""


def day_of(at_ms: int) -> str:
    """Return the day of a time, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def days_up_to(last: str, number: int = DAYS_KEPT) -> list[str]:
    """Return this many days up to `last`, the oldest first."""
    end = date.fromisoformat(last)
    return [(end - timedelta(days=back)).isoformat() for back in range(number - 1, -1, -1)]


def over(days: Iterable[str], newest: str) -> list[str]:
    """Return the days that are no longer kept once `newest` has begun."""
    oldest = days_up_to(newest)[0]
    return [day for day in days if day < oldest]


def with_end_of_day(before: DaySums, agent: str, tenant: str, end: End) -> DaySums:
    series = (agent, tenant, end.model)
    if series not in before and len(before) >= MOST_SERIES:
        series = _OTHERS
    return {
        **before,
        series: with_used(before.get(series, {}), {**end.used, **({end.status: 1} if end.status else {})}),
    }


def with_version(before: Mapping[str, VersionSeen], end: End) -> dict[str, VersionSeen]:
    """Return an agent's versions with one more end; of too many, those that were seen last."""
    if not end.version:
        return dict(before)
    seen = before.get(end.version) or VersionSeen(end.version, end.ended_ms, end.ended_ms, 0)
    first_ms, last_ms = min(seen.first_ms, end.ended_ms), max(seen.last_ms, end.ended_ms)
    now = replace(seen, first_ms=first_ms, last_ms=last_ms, runs=seen.runs + 1, model=end.model)
    newest = newest_first({**before, end.version: now})
    return {each.version: each for each in newest[:MOST_VERSIONS]}


def newest_first(versions: Mapping[str, VersionSeen]) -> tuple[VersionSeen, ...]:
    """Return the versions, the one that was seen last first."""
    return tuple(sorted(versions.values(), key=attrgetter("last_ms"), reverse=True))


_encode = Encoder().encode
_DAY = Decoder(list[tuple[str, str, str, dict[str, int]]])
_VERSIONS = Decoder(list[VersionSeen])


def load_day(text: str | None) -> DaySums:
    """Load a day's sums from their text; None: there are none."""
    return {(agent, tenant, model): used for agent, tenant, model, used in _DAY.decode(text)} if text else {}


def load_versions(text: str | None) -> dict[str, VersionSeen]:
    """Load an agent's versions from their text; None: there are none."""
    return {seen.version: seen for seen in _VERSIONS.decode(text)} if text else {}


def days_after(before: Mapping[str, str | None], ended: Iterable[tuple[str, str, End]]) -> dict[str, str]:
    """Return the new texts of days and agents' versions with these ends, each of an agent and a tenant."""
    days = {name: load_day(text) for name, text in before.items() if not name.startswith(AGENT)}
    versions = {name: load_versions(text) for name, text in before.items() if name.startswith(AGENT)}
    for agent, tenant, end in ended:
        day = day_of(end.ended_ms)
        days[day] = with_end_of_day(days[day], agent, tenant, end)
        versions[AGENT + agent] = with_version(versions[AGENT + agent], end)
    rows = {day: _encode([(*series, used) for series, used in sorted(sums.items())]) for day, sums in days.items()}
    seen = {name: _encode(list(found.values())) for name, found in versions.items() if found}
    return {name: text.decode() for name, text in {**rows, **seen}.items()}
