"""What one invocation keeps in mind while it handles one message."""

import pytest
from msgspec.structs import replace

from baton.core.expected import event_of
from baton.core.legs import Leg, LegKind
from baton.dispatch.delivery import Delivered
from baton.ports import Begun, Verdict
from baton.runtime.claims import Claims
from baton.runtime.policy import Policy
from baton.runtime.run import Run
from tests.fakes import FakeStore
from tests.fakes.clock import FakeClock
from tests.unit.events.core.sample_state import NOW_MS, turn_state

TURN = Leg("loop:job_1:1:1", LegKind.LOOP, "job_1", 1, 1)
CALL = Leg("call:a:1", LegKind.CALL, "job_1", 1, 1, call_id="a", tool="look")
OTHER = replace(CALL, key="call:b:1", call_id="b")
WISH = Leg("wish:job_1:2", LegKind.WISH, "job_1", 1, 2, want="slot")


def run_of(leg: Leg, retried: int = 0) -> Run:
    """The run of a message that brings this leg."""
    claims = Claims(FakeStore(), FakeClock(), Policy({}))
    return Run(Delivered("m1", retried, event_of("s", leg)), "o1", NOW_MS, claims)


@pytest.mark.parametrize(("leg", "call_id", "wish"), [(TURN, "", False), (CALL, "a", False), (WISH, "", True)])
def test_whatever_way_a_leg_comes_it_is_the_same_step(leg: Leg, call_id: str, *, wish: bool) -> None:
    """By the message itself, carried by it, or claimed by a COMMIT, which names its owner."""
    run = run_of(leg)
    assert (run.first.leg_key, run.first.job_id, run.first.call_id, run.first.wish) == (leg.key, "job_1", call_id, wish)
    assert run.step_of(leg) == run.first
    run.go_on(Begun(Verdict.GRANTED, state=replace(turn_state(), leg=replace(leg, owner="o1.1"))))
    [step] = run.todo
    assert step == replace(run.first, owner="o1.1", event=None, begun=step.begun)
    assert run.in_hand == {leg.key}


def test_what_it_has_in_hand_or_has_handed_on_is_seen() -> None:
    """Until it has ended; what is left to somebody else stays so."""
    run = run_of(TURN)
    run.begin(run.step_of(CALL))
    run.handed_on.add(OTHER)
    assert [run.is_seen(leg, NOW_MS) for leg in (CALL, OTHER, TURN)] == [True, True, False]
    run.ends(run.step_of(CALL), done=True)
    run.begin(run.first)
    run.leaves(run.first)
    assert [run.is_seen(leg, NOW_MS) for leg in (CALL, OTHER, TURN)] == [False, True, True]
    assert run.in_hand == set()


def test_a_commit_takes_nothing_that_is_in_hand_or_went_out() -> None:
    """But itself; news of the admission bring back what went out."""
    run = run_of(TURN)
    for leg in (TURN, CALL):
        run.begin(run.step_of(leg))
    run.handed_on.add(OTHER)
    assert run.untouchable(run.first) == {CALL.key, OTHER.key}
    assert run.untouchable(run.step_of(WISH)) == {TURN.key, CALL.key}


def test_what_is_done_twice_was_brought_back_by_a_failover() -> None:
    """What was overtaken was not done; what was handed on and is done now may go out again."""
    run = run_of(CALL)
    run.handed_on.add(CALL)
    assert not run.ends(run.first, done=False)
    assert run.is_seen(CALL, NOW_MS)
    assert not run.ends(run.first, done=True)
    assert not run.is_seen(CALL, NOW_MS)
    assert run.ends(run.first, done=True)
    assert not run.ends(run.first, done=False)


def test_no_two_commits_claim_under_the_same_name_and_no_two_rounds_drive_alike() -> None:
    """Nor two deliveries of a message; the same one does, so the queue swallows what it hands on twice."""
    run = run_of(TURN)
    names = {run.name_of_claims() for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("o1.") for name in names)
    drives = [run.drive, run_of(TURN).drive, run_of(TURN, retried=1).drive]
    run.handed_on.begin_anew()
    assert drives[0] == drives[1]
    assert len({*drives, run.drive}) == 3
