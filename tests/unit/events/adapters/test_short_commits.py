"""Which COMMITs are short ones, and what is kept of the steps that a process holds."""

from typing import Any

import pytest
from msgspec.structs import replace

from events.adapters.known_histories import KnownHistory
from events.adapters.short_commits import HeldStep, HeldSteps, ShortCommit, short_commit
from events.core.admission import Standing
from events.core.effects import Changes, Join, Report, Skip, Talk
from events.core.going_on import GoOn
from events.core.legs import Leg, LegKind, following, loop_leg
from events.core.limits import Spend
from events.core.state import Job, State
from events.core.tool_use import ToolUse
from events.core.transitions import JobStatus
from events.ports import Begun, Claim, Committed, Verdict
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_leg,
    claim_of,
    first_leg,
    leases_of,
    record_of,
)

JOB = a_job()
CALL, TURN = call_leg(0), loop_leg(JOB_ID, 2, 1, NOW_MS)
HISTORY = KnownHistory("a tag", ('{"role":"user"}',))
GO_ON = GoOn("o1.1", leases_of(), 1)
ASKS = Changes(job=JOB, legs=(CALL,), calls=(record_of(CALL),), transcript=('{"role":"model"}',), parts=("a part",))
RETURNS = Changes(join=Join(CALL.group, TURN), calls=(record_of(CALL),), results={CALL.call_id: '{"ok":1}'})
PLAIN = {"job", "legs", "join", "calls", "results", "transcript", "parts", "used", "counts"}
RARE: dict[str, Any] = {
    "skips": (Skip(call_leg(1).key, record_of(CALL), "{}"),),
    "talk": Talk("text-1", 1, (), ()),
    "ends": True,
    "closing": ("closing",),
    "report": Report("call", "{}"),
    "child": Changes(),
    "spends": Spend(),
    "standing": Standing("slot", 1),
    "admitted": True,
    "later_lap": 1,
    "begins_again": True,
    "forgets": ("call",),
}


def short(
    claim: Claim, changes: Changes, go_on: GoOn | None = GO_ON, job: Job = JOB, before: KnownHistory | None = HISTORY
) -> ShortCommit | None:
    """The COMMIT as a short one."""
    after = before and before.with_more(changes.results, changes.transcript)
    leg = replace(CALL, owner="o1", lease_until_ms=NOW_MS + LEASE_MS)
    return short_commit(claim, changes, HeldStep(job, leg, "its text"), go_on, (before, after))


def test_a_turn_that_asks_for_a_call_is_short() -> None:
    """The call is claimed as it says."""
    found = short(claim_of(first_leg()), ASKS)
    assert found is not None
    taken = replace(
        CALL,
        carrier="m1",
        owner="o1.1",
        claimed_ms=NOW_MS,
        lease_until_ms=NOW_MS + leases_of()[LegKind.CALL],
        appended=0,
        text_id="",
    )
    assert found.leg == taken
    begun = Begun(Verdict.GRANTED, state=State(JOB, taken, record_of(CALL)))
    assert found.done(followed=True) == Committed(applied=True, claimed=(begun,))


def test_a_call_that_returns_is_short() -> None:
    """The turn is told what was said."""
    used = replace(RETURNS, used=ToolUse("tool_a", failed=False, duration_ms=1), counts={"tools": 1})
    found = short(claim_of(CALL), used)
    assert found is not None
    (begun,) = found.done(followed=True).claimed
    assert begun.history.transcript == ({"role": "user"},)
    assert begun.history.results == {CALL.call_id: {"ok": 1}}
    assert begun.state is not None
    assert [level.job for level in begun.state.levels] == [JOB]


def test_every_change_is_plain_or_rare() -> None:
    """Whoever adds one says here which."""
    assert set(Changes.__struct_fields__) == PLAIN | set(RARE)


@pytest.mark.parametrize("name", RARE)
def test_what_is_rare_is_long(name: str) -> None:
    """Whatever else is in it."""
    assert short(claim_of(first_leg()), replace(ASKS, **{name: RARE[name]})) is None


@pytest.mark.parametrize(
    ("go_on", "leg"),
    [
        (None, CALL),
        (replace(GO_ON, at_most=0), CALL),
        (replace(GO_ON, but=frozenset({CALL.key})), CALL),
        (replace(GO_ON, leases_ms=leases_of({LegKind.LOOP})), CALL),
        (GO_ON, replace(CALL, isolated=True)),
        (None, following(CALL, LegKind.COMPLETE, NOW_MS)),
        (None, following(CALL, LegKind.FAILED, NOW_MS)),
        (None, replace(CALL, call_id="without a record")),
    ],
)
def test_what_is_not_gone_on_with_is_carried(go_on: GoOn | None, leg: Leg) -> None:
    """By the message of the COMMIT."""
    found = short(claim_of(first_leg(), "m7"), replace(ASKS, legs=(leg,)), go_on)
    assert found is not None
    assert found.done(followed=True) == Committed(applied=True, carried=(replace(leg, carrier="m7"),))


def test_a_job_that_is_kept_apart_has_its_steps_carried() -> None:
    """Whether the COMMIT writes it or not."""
    apart = replace(JOB, isolated=True)
    for found in (short(claim_of(first_leg()), replace(ASKS, job=apart)), short(claim_of(CALL), RETURNS, job=apart)):
        assert found is not None
        assert not found.leg.owner


@pytest.mark.parametrize(
    "legs",
    [
        (),
        (CALL, call_leg(1)),
        (replace(CALL, not_before_ms=NOW_MS + 1),),
        (replace(CALL, lease_until_ms=NOW_MS + 1),),
        (replace(CALL, owner="o2"),),
        (replace(CALL, after="another"),),
        (replace(CALL, step="s1"),),
        (replace(CALL, text_id="text-1"),),
        (replace(CALL, appended=1),),
        (replace(CALL, job_id=f"{JOB_ID}.1"),),
        (replace(CALL, call_id="without a record"),),
        (replace(CALL, call_id="of a plan"),),
        (following(CALL, LegKind.WAIT, NOW_MS),),
        (first_leg(),),
    ],
)
def test_what_is_not_simply_claimed_is_long(legs: tuple[Leg, ...]) -> None:
    """Nor what is the very step that ends."""
    plan = replace(record_of(CALL), id="of a plan", dependants=("another",))
    assert short(claim_of(first_leg()), replace(ASKS, legs=legs, calls=(record_of(CALL), plan))) is None


def test_a_join_beside_other_steps_is_long() -> None:
    """Whether it is due depends on them."""
    assert short(claim_of(CALL), replace(RETURNS, legs=(call_leg(1),))) is None


@pytest.mark.parametrize(
    ("changes", "go_on", "after_ms", "beside"),
    [
        (RETURNS, GO_ON, 0, "join"),
        (replace(RETURNS, join=None, legs=(call_leg(1),), calls=(record_of(call_leg(1)),)), GO_ON, 0, "leg"),
        (replace(RETURNS, join=Join("another group", TURN)), GO_ON, 0, ""),
        (RETURNS, None, 0, ""),
        (RETURNS, GO_ON, LEASE_MS, ""),
        (RETURNS, replace(GO_ON, owner="o2.1"), 0, ""),
    ],
)
def test_others_may_be_beside_a_call_while_they_are_in_hand(
    changes: Changes, go_on: GoOn | None, after_ms: int, beside: str
) -> None:
    """What waits for its group follows once they are done; there may be nothing to say then."""
    found = short(claim_of(CALL, after_ms=after_ms), changes, go_on)
    assert found is not None
    assert found.beside == beside
    assert found.done(followed=False) == Committed(applied=True)


def test_a_job_that_has_ended_has_long_ones() -> None:
    """Whether the COMMIT writes it or not."""
    job = replace(JOB, status=JobStatus.FAILED)
    assert short(claim_of(first_leg()), replace(ASKS, job=job)) is None
    assert short(claim_of(CALL), RETURNS, job=job) is None


@pytest.mark.parametrize("leg", [replace(first_leg(), key=""), following(CALL, LegKind.WAIT, NOW_MS)])
def test_a_fact_and_the_end_of_a_wait_are_long(leg: Leg) -> None:
    """More depends on what is recorded there."""
    assert short(claim_of(leg), ASKS) is None


def test_a_turn_whose_history_is_not_known_is_told_it_by_the_long_one() -> None:
    """Unless its model does not read it, or it is told elsewhere."""
    deaf = a_job(reads_history=False)
    for unknown in (None, KnownHistory("")):
        assert short(claim_of(CALL), RETURNS, before=unknown) is None
        assert short(claim_of(CALL), RETURNS, go_on=None, before=unknown) is not None
        found = short(claim_of(CALL), RETURNS, job=deaf, before=unknown)
        assert found is not None
        assert found.done(followed=True).claimed[0].history.transcript == ()


def begun_of(leg: Leg, job: Job = JOB) -> Begun:
    """Claimed by o1."""
    return Begun(Verdict.GRANTED, state=State(job, replace(leg, owner="o1")))


def test_a_lone_step_is_known_once() -> None:
    """To who has claimed it."""
    steps = HeldSteps()
    steps.keep(begun_of(CALL), "its text")
    assert steps.take(claim_of(CALL, owner="o2")) is None
    assert steps.take(claim_of(first_leg())) is None
    assert steps.take(claim_of(CALL)) == HeldStep(JOB, replace(CALL, owner="o1"), "its text")
    assert steps.take(claim_of(CALL)) is None


@pytest.mark.parametrize(
    "begun",
    [
        begun_of(following(CALL, LegKind.WAIT, NOW_MS)),
        begun_of(first_leg(f"{JOB_ID}.1"), a_job(f"{JOB_ID}.1")),
        Begun(Verdict.BUSY),
    ],
)
def test_what_no_short_commit_is_of_is_not_kept(begun: Begun) -> None:
    """Neither other kinds, nor jobs below others."""
    steps = HeldSteps()
    steps.keep(begun, "its text")
    leg = begun.state.leg if begun.state else first_leg()
    assert steps.take(claim_of(leg)) is None


def test_others_of_a_job_are_known() -> None:
    """Each once, however often it is said."""
    steps = HeldSteps()
    assert not steps.has_any_of(JOB_ID)
    for leg in (CALL, CALL, call_leg(1)):
        steps.keep(begun_of(leg), "its text")
    steps.take(claim_of(CALL))
    steps.take(claim_of(CALL))
    assert steps.has_any_of(JOB_ID)
    steps.take(claim_of(call_leg(1)))
    assert not steps.has_any_of(JOB_ID)


def test_what_was_given_up_is_forgotten() -> None:
    """The oldest first."""
    steps = HeldSteps()
    steps.keep(begun_of(call_leg(0), a_job("another")), "its text")
    for number in range(5000):
        steps.keep(begun_of(call_leg(number)), "its text")
    assert not steps.has_any_of("another")
    assert steps.take(claim_of(call_leg(0))) is None
    assert steps.take(claim_of(call_leg(4999))) is not None
