"""The format of values on a page: times, numbers, money, JSON, jobs. Pure; most are the templates' filters.

Invariant: the input may be any text of a tool or a stranger; the output is text, escaped by the template.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from baton.engine.all_jobs.ends import run_ms
from baton.engine.state import CallRecord, Job
from baton.engine.waits import APPROVALS
from baton.sdk.records.limits import RUN_CODE
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import Failure
from baton.server.api.jobs.approval_list import approvals_of
from baton.settings.service_prices import Prices
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.job_view import job_row, job_summary
from baton.worker.runtime.usage_view import job_cost
from baton_events.ids import key_digest
from baton_events.timestamps import milliseconds, rfc3339

# The names of those that templates have as filters.
FILTERS = (
    "ago clock exact foldable json_text last_day_ms lasted ms number one_line pretty "
    "pretty_json price program short timed usd with_scripts"
)

SHOWN_CHARS = 2_000
_DEEPEST, _MOST_PARTS = 40, 5_000
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SECOND_MS, _MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
_HALF_DAY_MS, _TWO_DAYS, _WEEK_DAYS = 43_200_000, 2, 7
_SMALL_USD, _LEAST_USD = 0.01, 0.000001


def ago(at_ms: int, now_ms: int) -> str:
    """Format a time as its distance, `3 min ago`, `in 2 h`, `now`; from half a day on as `tomorrow 07:17 UTC`."""
    if at_ms - now_ms >= _HALF_DAY_MS:
        at, today = datetime.fromtimestamp(at_ms / 1000, UTC), datetime.fromtimestamp(now_ms / 1000, UTC).date()
        days = (at.date() - today).days
        named = f"{at:%A}" if days < _WEEK_DAYS else f"{at.day} {at:%b} {at.year}"
        return f"{('today', 'tomorrow')[days] if days < _TWO_DAYS else named} {at:%H:%M} UTC"
    seconds = abs(now_ms - at_ms) // 1000
    for size, unit in _STEPS:
        if seconds >= size:
            text = f"{(seconds + (size // 20 if at_ms > now_ms else 0)) // size} {unit}"
            return f"{text} ago" if now_ms > at_ms else f"in {text}"
    return "now"


def last_day_ms(now_ms: int) -> int:
    """Return the begin of the last 24 hours, the present one among them."""
    return (now_ms // HOUR_MS - 23) * HOUR_MS


exact = rfc3339  # to the millisecond, for a title and for programs


def ms(text: str) -> int:
    """Return the milliseconds since 1970 of a time on the wire."""
    return milliseconds(datetime.fromisoformat(text))


_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}Z)")


def timed(text: str) -> list[tuple[str, int]]:
    """Split a text at its times: each piece with the time behind it, in milliseconds since 1970; 0: none is."""
    pieces = [*_TIME.split(text), ""]
    return [(words, ms(time) if time else 0) for words, time in zip(pieces[::2], pieces[1::2], strict=True)]


def clock(at_ms: int) -> str:
    """Format the time of day: `09:03:25.120`, UTC."""
    return rfc3339(at_ms)[11:23]


def lasted(duration_ms: int | None) -> str:
    """Format a duration: `84 ms`, `3.2 s`, `5 min 12 s`, `2 h 5 min`; a dash where there is none."""
    if duration_ms is None:
        return number(None)
    if duration_ms < _SECOND_MS:
        return f"{duration_ms} ms"
    if duration_ms < _MINUTE_MS:
        return f"{duration_ms / 1000:.1f} s"
    minutes, seconds = divmod(duration_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def number(value: float | None) -> str:
    """Format a number with thin spaces, `12 345`; a dash where there is none."""
    return "\N{EN DASH}" if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def usd(value: float) -> str:
    """Format an amount: `$0.000123` or `$1.25`."""
    if not value:
        return "$0"
    if value < _LEAST_USD:
        return f"<${_LEAST_USD:.6f}"
    return f"${value:.6f}".rstrip("0") if value < _SMALL_USD else f"${value:.2f}"


def price(value: float) -> str:
    """Format the price of one unit with all its digits: `$0.000002`."""
    return f"${value:.10f}".rstrip("0").rstrip(".")


def pretty(value: Any) -> str:
    """Format JSON for reading; a text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def pretty_json(text: str) -> str:
    """Format a text for reading if it is JSON, without what is under a secret's name."""
    try:
        return pretty(redacted(json.loads(text)))
    except (ValueError, RecursionError):
        return text


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def foldable(value: Any) -> bool:
    """Return whether a value has parts to fold, and is neither too large nor too deep for a page."""
    level, seen = [value], 0
    for _ in range(_DEEPEST):
        parts = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [part for each in parts for part in each]
        seen += len(level)
        if not level or seen > _MOST_PARTS:
            break
    return not level and seen > 0


def short(text: str, chars: int = SHOWN_CHARS) -> str:
    """Cut a text, and add the number of characters left out."""
    return text if len(text) <= chars else f"{text[:chars]}\n… {number(len(text) - chars)} more characters"


def one_line(value: Any, chars: int = 120) -> str:
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)).split())
    return text if len(text) <= chars else f"{text[: chars - 1]}…"


def job_shown(snapshot: Snapshot, prices: Prices, now_ms: int) -> dict[str, Any]:
    cost_usd = job_cost(snapshot.usage, snapshot.job.used, prices)["totalUsd"]
    return job_row(snapshot, now_ms) | {"cost_usd": cost_usd} | common_of(snapshot, now_ms)


def common_of(snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    """Return what every page shows of a job alike.

    `took_ms`: of its last run, so far; None: it has not begun. `since_retry`: when that began, in ms; 0: is the first.
    `failed_calls`: ids of that run's, as far as calls are known. `error`: with the class, and the user's place.
    """
    job = snapshot.job
    took_ms = run_ms(job if job.ended else replace(job, finished_at_ms=now_ms)) if job.started_at_ms else None
    failed = [
        call.id
        for call in snapshot.calls
        if call.status == "failed" and call.turn >= job.first_turn and call.tool not in APPROVALS
        if call.error is None or call.error.type != "rejected"
    ]
    common: dict[str, Any] = {"tenant": job.tenant, "took_ms": took_ms, "since_retry": job.counted_from_ms}
    if (error := job.error) is not None:
        tool, own = origin_of(job, snapshot.calls)
        words, place = _without_place(error.words, error.traceback), place_in(own.traceback or error.traceback)[0]
        if is_rejected := own.type == "rejected":
            views = [view for view in approvals_of(snapshot, now_ms) if view["reason"] == own.message]
            by = next((view["decidedBy"] for view in views if view["status"] == own.type), "") or "a person"
            words = f"{by} rejected {tool or 'it'}: {own.message}"
        common["error"] = {"type": error.type, "message": words, "place": place, "is_rejected": is_rejected}
    return common | {"failed_calls": failed}


def _without_place(text: str, traceback: str) -> str:
    """Leave out the place that a workflow's error ends with, where its traceback tells it."""
    return text.partition('\nFile "')[0] if traceback else text


_FRAME = re.compile(r'File "([^"]+)", line ([0-9]+)(?:, in (\S+))?')
_CHANGING = re.compile(r"\S*[0-9]\S*")
_LIBRARIES = ("site-packages", "/lib/python", "<frozen")
_BATON = f"{Path(__file__).parents[2]}/"


def origin_of(job: Job, calls: Iterable[CallRecord]) -> tuple[str, Failure]:
    """Return the tool of the call whose error a job passes on, and that error; without such a call the job's own."""
    error = job.error or Failure("unknown", "")
    words = _without_place(error.message, error.traceback)
    found = [
        (call.finished_at_ms or 0, call.tool, call.error)
        for call in calls
        if call.error and error.type in (call.error.type, "step_failed") and words.endswith(call.error.message)
    ]
    return max(found, key=itemgetter(0))[1:] if found else ("", error)


class Failing(NamedTuple):
    """Something that has failed: an agent's job, or a message of a kind. `id`: its own, which leads to it.

    `tool`: of a call that failed, where its error has no traceback of its own.
    """

    of: str
    type: str
    message: str
    at_ms: int
    id: str
    traceback: str = ""
    tool: str = ""

    @classmethod
    def of_job(cls, job: Job, calls: Iterable[CallRecord] = ()) -> "Failing":
        error, at_ms = job.error or Failure("unknown", ""), job.finished_at_ms or job.created_at_ms
        tool, own = origin_of(job, calls)
        words, trace = _without_place(error.message, error.traceback), own.traceback or error.traceback
        return cls(job.agent, own.type, words, at_ms, job.id, trace, "" if own.traceback else tool)


@dataclass
class Fault:
    """All that has failed alike, the newest first. `kind`, `place`: of its error; in the user's code, of the newest.

    `function`: the tool or function that raised it. `jobs`: what its newest ones are about, by their ids.
    """

    id: str
    members: list[Failing]
    kind: str
    place: str
    function: str
    jobs: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def newest(self) -> Failing:
        return self.members[0]


def grouped(failing: Iterable[Failing]) -> list[Fault]:
    """Group by the kind of the error and its function, or else what has failed, and its words without digits.

    A line's number makes no difference: each deploy may move it. The largest come first, what people reject last.
    """
    groups = dict[str, Fault]()
    for one in sorted(failing, key=lambda one: -one.at_ms):
        place, function = place_in(one.traceback)
        function = one.tool or function
        where = f"{place.partition(',')[0]} {function}" if function or place else ""
        name = key_digest("" if place else one.of, one.type, where or _CHANGING.sub("…", one_line(one.message, 600)))
        groups.setdefault(name, Fault(name, [], one.type, place, function)).members.append(one)
    return sorted(groups.values(), key=lambda group: (group.kind == "rejected", -len(group.members)))


def place_in(traceback: str) -> tuple[str, str]:
    """Return the last place in the user's own code, as people read it, and its function; empty: none is known."""
    frames = [frame for frame in _FRAME.findall(traceback) if not frame[0].startswith(_BATON)]
    own = [frame for frame in frames if not any(part in frame[0] for part in _LIBRARIES)] or frames
    return (f"{'/'.join(own[-1][0].split('/')[-2:])}, line {own[-1][1]}", own[-1][2]) if own else ("", "")


def pending_of(snapshot: Snapshot, now_ms: int) -> list[dict[str, Any]]:
    """Return the job's questions that wait for a decision, each with the agent that asks, the tenant and the task."""
    about = {"agent": snapshot.job.agent, "tenant": snapshot.job.tenant, "task": job_summary(snapshot)}
    return [view | about for view in approvals_of(snapshot, now_ms) if view["status"] == "pending"]


Call = dict[str, Any]


def program(snapshot: Snapshot, call_id: str) -> list[dict[str, Any]]:
    """Return the lines of the script that this call runs: number, text, and whether it waits there."""
    call = next((call for call in snapshot.calls if call.id == call_id and call.tool == RUN_CODE), None)
    code = call.arguments.get("code") if call else None
    if not isinstance(code, str):
        return []
    waiting = {line for one in snapshot.job.scripts if one.call.id == call_id for line in one.script.waits_at}
    waiting = set() if snapshot.job.ended else waiting
    return [{"number": at, "text": text, "waits": at in waiting} for at, text in enumerate(code.splitlines(), 1)]


def with_scripts(calls: Iterable[Call], snapshot: Snapshot) -> list[Call]:
    """Return calls as a list shows them: those of a script are inside of the call that runs it."""
    calls = list(calls)
    known, inside = {call["id"] for call in calls}, dict[str, list[Call]]()
    for call in calls:
        inside.setdefault(call.get("scriptCallId", ""), []).append(call)
    return [
        call | {"program": program(snapshot, call["id"]), "inside": inside.get(call["id"], [])}
        for call in calls
        if call.get("scriptCallId") not in known
    ]
