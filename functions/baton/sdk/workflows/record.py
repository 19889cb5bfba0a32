"""What is recorded of a run: a stretch with each turn, and the outcomes of its calls.

Invariant: steps are compared as they were asked for, by their digests; what is shown of arguments may be redacted.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.sdk.agents.runner import Recorded
from baton.sdk.models.model import NEWER_STATE, ModelError
from baton.sdk.records.transcript import STRETCH
from baton.sdk.workflows.code_run import CodeRun, Stretch
from baton.sdk.workflows.step_call import Step
from baton_events.ids import canonical_json, digest, step_number

# Raised where an older version of this code would misread a recorded stretch.
STRETCH_VERSION = 2
_SHOWN_CHARS = 500
_NAME_CHARS = 32
_HINT = (
    "A change of a workflow whose jobs wait goes into `if workflow.patched('…'):`. Where no code has changed: sets of"
    " texts have another order in each process, so write sorted(…)"
)


class RecordedStretch(Struct, frozen=True):
    """A stretch as its turn has it.

    Attributes:
        calls: the turn's, each with its `tool`, and its `arguments` as they are shown.
        at: the stretch's number in its run, from 1.
        now: its time, in milliseconds since 1970.
        numbers: of the steps that it asked for.
        digests: of what they asked for.
        taken: the numbers of the outcomes that it took, in order.
        cancelled: whether it ended with a cancel of the code.
        patched: what `patched` answered with true for the first time.
    """

    calls: Sequence[Mapping[str, Any]]
    at: int
    now: int
    numbers: tuple[int, ...]
    digests: tuple[str, ...]
    taken: tuple[int, ...]
    cancelled: bool
    patched: tuple[str, ...]


def kept_of(before: str, at: int, now_ms: int, stretch: Stretch, taken: Iterable[int]) -> dict[str, Any]:
    """Return what a turn keeps of a stretch, as JSON. `before`: the name of the stretch before it; `at`: its number.

    Its `name` is of this stretch and all before it.
    """
    kept: dict[str, Any] = {"v": STRETCH_VERSION, "at": at, "now": now_ms, "taken": list(taken)}
    kept |= {"numbers": [step.number for step in stretch.asked], "digests": [step.digest for step in stretch.asked]}
    kept |= {"cancelled": True} if stretch.cancelled else {}
    kept |= {"patched": list(stretch.patched)} if stretch.patched else {}
    kept |= {"givenUp": list(stretch.given_up)} if stretch.given_up else {}
    return kept | {"name": digest(before, kept)[:_NAME_CHARS]}


def recorded_stretch(entry: Mapping[str, Any]) -> RecordedStretch:
    """Read the stretch of a turn. Raises ModelError: a newer version of this code has written it."""
    kept: Mapping[str, Any] = (entry.get("provider") or {}).get(STRETCH) or {}
    if kept.get("v") != STRETCH_VERSION:
        message = f"turn {entry['turn']} has a stretch of version {kept.get('v')!r}, this code knows {STRETCH_VERSION}"
        raise ModelError(message, retryable=True, type=NEWER_STATE)
    return RecordedStretch(
        *(entry["calls"], kept["at"], kept["now"], tuple(kept["numbers"]), tuple(kept["digests"])),
        *(tuple(kept["taken"]), kept.get("cancelled", False), tuple(kept.get("patched", ()))),
    )


Outcomes = list[tuple[int, Mapping[str, Any]]]


def news_of(recorded: Recorded) -> Outcomes:
    """Return what has ended since the last stretch, in that order, by the step's number."""
    return [(step_number(call_id), recorded.results[call_id]) for call_id in recorded.news]


class ChangedCodeError(Exception):
    """The code asks for other steps than the record has."""


def replay(run: CodeRun, whole: Recorded) -> None:
    """Make a run again through all its recorded stretches.

    Raises:
        ChangedCodeError: its code asks for other steps.
        ModelError: a result that the code has had cannot be read yet.
    """
    found = {step_number(call_id): outcome for call_id, outcome in whole.results.items()}
    for each in map(recorded_stretch, whole.turns):
        if gone := set(each.taken) - found.keys():
            raise ModelError(f"results of steps {sorted(gone)} cannot be read yet", retryable=True, type="not_read")
        taken: Outcomes = [(number, found[number]) for number in each.taken]
        _compare(each, run.go_on(each.now, taken, cancels=each.cancelled, replayed=each.patched), run)


def _compare(recorded: RecordedStretch, stretch: Stretch, run: CodeRun) -> None:
    before = list(zip(recorded.numbers, recorded.digests, strict=True))
    now = [(step.number, step.digest) for step in stretch.asked]
    if before == now:
        return
    at = next(
        (i for i, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), min(len(before), len(now))
    )
    was = recorded.calls[at] if at < len(before) else None
    asked = f"asked for {_shown(was['tool'], was['arguments'])}" if was else "asked for no further step"
    step = stretch.asked[at] if at < len(now) else None
    raise ChangedCodeError(f"stretch {recorded.at} {asked}; now the code {_now(step, run)}. {_HINT}")


def _now(step: Step | None, run: CodeRun) -> str:
    if step is not None:
        return f"asks for {_shown(step.tool, step.arguments)}: {step.place}"
    if run.is_over:
        return "ends there"
    return "\n".join(["asks for no further step:", *map(str, run.waits_at())])


def _shown(tool: str, arguments: Mapping[str, Any]) -> str:
    text = f"{tool}({canonical_json(dict(arguments))})"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
