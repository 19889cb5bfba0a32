"""The COMMIT of a job's only open step that goes on with the only one that follows: a shorter script (advance.lua).

Who holds that step knows all that such a COMMIT depends on, so what it writes and claims is worked out here, and the
script writes it only where the job is as it was known to be. Invariant: what it leaves is what commit.lua would.
Anything else is commit.lua's: more steps, waits, children, ends, and what somebody else did meanwhile.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import to_json

from events.adapters import keys
from events.adapters.commit_request import usage_counts
from events.adapters.known_histories import KnownHistory
from events.adapters.store_answers import granted_to
from events.core.effects import Changes
from events.core.going_on import GoOn, may_go_on
from events.core.legs import WORK_KINDS, Leg, LegKind
from events.core.records import dump_call, dump_job, dump_leg
from events.core.state import Job
from events.ids import is_child
from events.ports import Begun, Claim, Spent
from events.quick_init import quick_init
from events.replacing import replace

SCRIPT = ("advance", "state", "used")
DONE = "committed"
# Of steps that are under way in this process; one that was given up is forgotten in time.
_LIMIT = 4096

_Name = tuple[str, str, str]


@quick_init
@dataclass(frozen=True, slots=True)
class LoneStep:
    """A claimed step whose job has nothing else open, and the job's text as it is stored."""

    job: Job
    text: str


class LoneSteps:
    """Those that this process has claimed. All of it may be dropped at any time: then the longer script is asked."""

    def __init__(self) -> None:
        self._steps: dict[_Name, LoneStep] = {}

    def keep(self, begun: Begun, text: str) -> None:
        """It was claimed alone."""
        state = begun.state
        if state is None or state.leg.kind not in WORK_KINDS or is_child(state.job.id):
            return
        if len(self._steps) >= _LIMIT:
            self._steps.pop(next(iter(self._steps)))
        self._steps[state.job.id, state.leg.key, state.leg.owner] = LoneStep(state.job, text)

    def take(self, claim: Claim) -> LoneStep | None:
        """What is known of a claimed step, once."""
        return self._steps.pop((claim.job_id, claim.leg_key, claim.owner), None)


@quick_init
@dataclass(frozen=True, slots=True)
class Advance:
    """One COMMIT of a lone step. `next_leg`: as it is claimed. `text`: the job's, once this is done."""

    claim: Claim
    changes: Changes
    step: LoneStep
    next_leg: Leg
    text: str
    before: KnownHistory | None
    after: KnownHistory | None

    def keys(self) -> Sequence[str]:
        """What the script touches."""
        return keys.written_keys(self.claim.job_id)

    def arguments(self, spent: Spent) -> list[str | int]:
        """The arguments of advance.lua."""
        claim, changes = self.claim, self.changes
        expected = "" if changes.job else hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        calls: list[str] = []
        for record in changes.calls:
            calls += (record.id, dump_call(record))
        results = [text for result in changes.results.items() for text in result]
        counts = {name: count for name, count in usage_counts(spent).items() if count}
        return [
            *(claim.job_id, claim.leg_key, claim.owner, claim.run, claim.now_ms, expected),
            *(self.before.tag if self.before else "", self.after.tag if self.after else "", to_json(counts).decode()),
            *(f"leg:{self.next_leg.key}", dump_leg(self.next_leg), self.text if changes.job else ""),
            *(len(calls), len(results), len(changes.transcript)),
            *(*calls, *results, *changes.transcript, *changes.parts),
        ]

    def begun(self) -> Begun:
        """The next step, as commit.lua would tell it."""
        leg, changes = self.next_leg, self.changes
        record = next((dump_call(each) for each in changes.calls if each.id == leg.call_id), "") if leg.call_id else ""
        return granted_to(changes.job or self.step.job, leg, record, self.after)


def advance(
    claim: Claim,
    changes: Changes,
    step: LoneStep,
    go_on: GoOn | None,
    histories: tuple[KnownHistory | None, KnownHistory | None],
) -> Advance | None:
    """The COMMIT as a short one; None: it is none. `histories`: what is known before and after it."""
    job, (before, after) = changes.job or step.job, histories
    leg = _only_leg(changes)
    if go_on is None or leg is None or job.ended or not _is_plain(claim, changes):
        return None
    if not _is_claimed(leg, job, claim, go_on):
        return None
    if leg.kind is LegKind.CALL and all(record.id != leg.call_id for record in changes.calls):
        return None
    if job.model.reads_history and not (before and before.tag):
        return None  # the next turn is to be told what was said
    taken = replace(
        leg,
        carrier=claim.message_id,
        owner=go_on.owner,
        claimed_ms=claim.now_ms,
        lease_until_ms=go_on.lease_until_ms,
        appended=0,
        text_id="",
    )
    text = dump_job(changes.job) if changes.job else step.text
    return Advance(claim, changes, step, taken, text, before, after)


def _only_leg(changes: Changes) -> Leg | None:
    if changes.join:
        return None if changes.legs else changes.join.leg
    return changes.legs[0] if len(changes.legs) == 1 else None


def _is_plain(claim: Claim, changes: Changes) -> bool:
    """Nothing in it concerns more than this step and the one that follows."""
    more = changes.skips or changes.talk or changes.ends or changes.closing or changes.report or changes.child
    rare = changes.spends or changes.standing or changes.admitted or changes.later_lap
    again = changes.begins_again or changes.forgets
    return not (more or rare or again) and claim.leg_key.startswith(("loop:", "call:"))


def _is_claimed(leg: Leg, job: Job, claim: Claim, go_on: GoOn) -> bool:
    """Whether commit.lua would claim it for who goes on."""
    fresh = not leg.owner and leg.lease_until_ms <= claim.now_ms and leg.not_before_ms <= claim.now_ms
    plain = leg.kind in WORK_KINDS and leg.job_id == claim.job_id and leg.key != claim.leg_key and not leg.after
    unsaid = not leg.step and not leg.text_id and not leg.appended
    wanted = go_on.at_most > 0 and leg.key not in go_on.but
    return fresh and plain and unsaid and wanted and may_go_on(job, leg, go_on.kinds)
