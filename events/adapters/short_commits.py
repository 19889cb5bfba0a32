"""The COMMIT of a step that is followed by one at most, with nothing else open: a shorter script (short_commit.lua).

Beside it may be others of its group that are held under the same name. Who holds that step knows all that such a COMMIT
depends on, so what it writes, claims and carries is worked out here, and the script writes it only where the job is as
it was known to be. Anything else is commit.lua's: more steps, waits, children, ends, and what somebody else did
meanwhile. Invariant: what a short one leaves is what commit.lua would.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace
from pydantic_core import to_json

from events.adapters.commit_request import usage_counts
from events.adapters.known_histories import KnownHistory
from events.adapters.store_answers import granted_to
from events.core.effects import Changes
from events.core.going_on import GoOn, may_go_on, of_one_invocation
from events.core.legs import Leg, LegKind
from events.core.records import dump_call, dump_job, dump_leg
from events.core.state import CallRecord, Job
from events.ids import is_child
from events.ports import Begun, Claim, Committed, Spent

# Of steps that are under way in this process; one that was given up is forgotten in time.
_LIMIT = 4096
_KINDS = frozenset({LegKind.LOOP, LegKind.CALL, LegKind.COMPLETE, LegKind.FAILED})
_KEYS = tuple(f"{kind}:" for kind in sorted(_KINDS))

_Name = tuple[str, str, str]


class HeldStep(Struct, frozen=True):
    """A claimed step beside which its job has at most others of its group, and the job's text as it is stored."""

    job: Job
    leg: Leg
    text: str


class HeldSteps:
    """Those that this process has claimed. All of it may be dropped at any time: then the longer script is asked."""

    def __init__(self) -> None:
        self._steps: dict[_Name, HeldStep] = {}
        self._of_jobs: dict[str, int] = {}

    def keep(self, begun: Begun, text: str) -> None:
        """It was claimed, and stands so."""
        state = begun.state
        if state is None or state.leg.kind not in _KINDS or is_child(state.job.id):
            return
        if len(self._steps) >= _LIMIT:
            self._pop(next(iter(self._steps)))
        name, count = (state.job.id, state.leg.key, state.leg.owner), len(self._steps)
        self._steps[name] = HeldStep(state.job, state.leg, text)
        if len(self._steps) > count:
            self._of_jobs[state.job.id] = self._of_jobs.get(state.job.id, 0) + 1

    def take(self, claim: Claim) -> HeldStep | None:
        """What is known of a claimed step, once."""
        return self._pop((claim.job_id, claim.leg_key, claim.owner))

    def has_any_of(self, job_id: str) -> bool:
        """Whether there are others of that job."""
        return job_id in self._of_jobs

    def _pop(self, name: _Name) -> HeldStep | None:
        step = self._steps.pop(name, None)
        if step is not None:
            left = self._of_jobs[name[0]] = self._of_jobs[name[0]] - 1
            if not left:
                del self._of_jobs[name[0]]
        return step


class ShortCommit(Struct, frozen=True):
    """What a short COMMIT is made of.

    `leg`: the one that follows, as it is written: claimed for who makes it, if it has an owner, else carried by his
    message. `text`: the job's, once this is done. `calls`: each one's id and record. `before`, `after`: the history,
    if the step that follows is told it. `beside`: as short_commit.lua takes it.
    """

    claim: Claim
    changes: Changes
    step: HeldStep
    leg: Leg
    text: str
    calls: Sequence[str]
    beside: str = ""
    before: KnownHistory | None = None
    after: KnownHistory | None = None

    def arguments(self, spent: Spent) -> list[str | int]:
        """What it adds to the arguments of short_commit.lua."""
        claim, changes = self.claim, self.changes
        expected = "" if changes.job else hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        results = [text for result in changes.results.items() for text in result]
        counts = {name: count for name, count in usage_counts(spent).items() if count}
        return [
            *(claim.leg_key, claim.owner, claim.run, claim.now_ms, expected),
            *(self.before.tag if self.before else "", self.after.tag if self.after else "", to_json(counts).decode()),
            *(self.beside, f"leg:{self.leg.key}", dump_leg(self.leg), self.text if changes.job else ""),
            *(len(self.calls), len(results), len(changes.transcript), len(changes.parts)),
            *(*self.calls, *results, *changes.transcript, *changes.parts),
        ]

    def done(self, *, followed: bool) -> Committed:
        """What commit.lua would answer."""
        if not followed:
            return Committed(applied=True)
        if not self.leg.owner:
            return Committed(applied=True, carried=(self.leg,))
        record = self.calls[self.calls.index(self.leg.call_id) + 1] if self.leg.call_id else ""
        begun = granted_to(self.changes.job or self.step.job, self.leg, record, self.after)
        return Committed(applied=True, claimed=(begun,))


def short_commit(
    claim: Claim,
    changes: Changes,
    step: HeldStep,
    go_on: GoOn | None,
    histories: tuple[KnownHistory | None, KnownHistory | None],
) -> ShortCommit | None:
    """The COMMIT as a short one; None: it is none. `histories`: what is known before and after it."""
    job, leg = changes.job or step.job, _only_leg(changes)
    if leg is None or job.ended or not (_is_plain(claim, changes) and _is_simple(leg, claim)):
        return None
    text = dump_job(changes.job) if changes.job else step.text
    beside, calls = _beside(claim, changes, step, go_on), _written(changes.calls)
    if go_on is None or go_on.at_most <= 0 or leg.key in go_on.but or not may_go_on(job, leg, go_on.leases_ms):
        return ShortCommit(claim, changes, step, replace(leg, carrier=claim.message_id), text, calls, beside)
    record = next((each for each in changes.calls if each.id == leg.call_id), None) if leg.call_id else None
    told = leg.kind is LegKind.LOOP and job.model.reads_history
    before, after = histories if told else (None, None)
    if (told and not (before and before.tag)) or (leg.call_id and (record is None or record.dependants)):
        return None  # there is more to be told than is known here
    leg = replace(
        leg,
        carrier=claim.message_id,
        owner=go_on.owner,
        claimed_ms=claim.now_ms,
        lease_until_ms=claim.now_ms + go_on.leases_ms[leg.kind],
    )
    return ShortCommit(claim, changes, step, leg, text, calls, beside, before, after)


def _written(records: Sequence[CallRecord]) -> list[str]:
    return [text for record in records for text in (record.id, dump_call(record))]


def _beside(claim: Claim, changes: Changes, step: HeldStep, go_on: GoOn | None) -> str:
    """Others of its group are told to nobody only while their holder, who makes this COMMIT, has them in hand."""
    if go_on is None or step.leg.lease_until_ms <= claim.now_ms or not of_one_invocation(claim.owner, go_on.owner):
        return ""
    if changes.join is None:
        return "leg"
    return "join" if changes.join.group == step.leg.group else ""


def _only_leg(changes: Changes) -> Leg | None:
    if changes.join:
        return None if changes.legs else changes.join.leg
    return changes.legs[0] if len(changes.legs) == 1 else None


def _is_plain(claim: Claim, changes: Changes) -> bool:
    """Nothing in it concerns more than this step and the one that follows."""
    more = changes.skips or changes.talk or changes.ends or changes.closing or changes.report or changes.child
    rare = changes.spends or changes.standing or changes.admitted or changes.later_lap
    again = changes.begins_again or changes.forgets
    return not (more or rare or again) and claim.leg_key.startswith(_KEYS)


def _is_simple(leg: Leg, claim: Claim) -> bool:
    """A new step of the same job that is due, and waits for nothing."""
    fresh = not leg.owner and leg.lease_until_ms <= claim.now_ms and leg.not_before_ms <= claim.now_ms
    own = leg.kind in _KINDS and leg.job_id == claim.job_id and leg.key != claim.leg_key
    return fresh and own and not (leg.after or leg.step or leg.text_id or leg.appended)
