"""Limits that a job shares with the jobs below it."""

from dataclasses import replace

from msgspec import structs

from baton.engine.decide import decide
from baton.engine.effects import CallModel
from baton.engine.shared_limits import exhausted_limit, too_many_calls, with_abandoned
from baton.engine.state import BudgetScope, Job, State
from baton.engine.step_results import ModelAnswered, Started
from baton.sdk.records.limits import Limits, Spend, Used, first_reserve, spent
from baton.sdk.records.transcript import Wanted
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, changes_of, error_of, job_of, turn_state

CHILD = structs.replace(JOB, id="job_1.aaaaaaaaaa", used=Used(turns=1, input_tokens=10), limits=Limits(tokens=10_000))
PARENT = structs.replace(JOB, limits=Limits(turns=10, tokens=100, tool_calls=5))


def child_state(child_usage: Spend, in_flight_tokens: int = 0, job: Job = CHILD) -> State:
    return structs.replace(
        turn_state(job), budget_scopes=(BudgetScope(job), BudgetScope(PARENT, child_usage, in_flight_tokens))
    )


def test_what_is_used_and_reserved_below_a_job_counts_against_its_limits() -> None:
    """A child has room while there is room above it; one that is to fail at a limit fails at its parent's."""
    state = child_state(Spend(turns=2, tokens=60))
    assert exhausted_limit(state, NOW_MS) is None
    assert isinstance(decide(state, Started(), NOW_MS).effects[0], CallModel)
    for state in (child_state(Spend(tokens=85)), child_state(Spend(tokens=60), 25), child_state(Spend(turns=9))):
        reached = exhausted_limit(state, NOW_MS)
        assert reached is not None
        assert reached[1] is PARENT
        changes = changes_of(decide(state, Started(), NOW_MS))
        assert job_of(changes).result == {"answer": "so far", "stoppedBy": reached[0]}
    job = structs.replace(CHILD, limits=replace(CHILD.limits, on_limit="fail"))
    failed = error_of(decide(child_state(Spend(tokens=85), job=job), Started(), NOW_MS))
    assert failed.message == "the limit tokens=100 of job job_1 is reached"


def test_tool_calls_count_above_too() -> None:
    """One of its own, three below: two more are too many for a limit of five."""
    state = child_state(Spend(tool_calls=3))
    assert too_many_calls(state, 1) is None
    assert too_many_calls(state, 2) is PARENT
    wanted = (Wanted("read_file", {}), Wanted("read_file", {"n": 1}))
    changes = changes_of(decide(state, ModelAnswered("", wanted), NOW_MS))
    assert changes.ends


def test_an_attempt_that_died_counts_in_full() -> None:
    """As much as the last call took, once for each; before the next one begins, and in what is recorded."""
    job = structs.replace(JOB, reserve_tokens=40, reserve_usd=0.5)
    item = structs.replace(turn_state(job).item, lost=2)
    lost = with_abandoned(job, item).used
    assert (lost.input_tokens, lost.cost_usd) == (JOB.used.input_tokens + 80, JOB.used.cost_usd + 1.0)
    changes = changes_of(decide(State(job, item), ModelAnswered("done", (), 7, 3, 0.1), NOW_MS))
    assert job_of(changes).used.input_tokens == JOB.used.input_tokens + 80 + 7
    assert (job_of(changes).reserve_tokens, job_of(changes).reserve_usd) == (10, 0.1)
    tight = structs.replace(job, limits=replace(job.limits, tokens=90))
    assert exhausted_limit(State(tight, item), NOW_MS) == ("tokens", with_abandoned(tight, item))


def test_what_a_child_uses_is_noted_above_it_and_a_root_notes_nothing() -> None:
    answer = ModelAnswered("", (Wanted("read_file", {}),), 7, 3, 0.25)
    changes = changes_of(decide(child_state(Spend()), answer, NOW_MS))
    assert changes.spends == Spend(turns=1, tool_calls=1, tokens=10, cost_usd=0.25)
    root = changes_of(decide(turn_state(), answer, NOW_MS))
    assert root.spends is None


def test_a_first_call_is_thought_to_take_little_of_a_small_limit() -> None:
    assert (first_reserve(Limits(tokens=40)), first_reserve(Limits())) == (4, 1_000)
    assert spent(Used(turns=1), Used(turns=3, output_tokens=4)) == Spend(turns=2, tokens=4)
