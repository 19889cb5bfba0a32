"""What a turn does besides its model call is recorded and counted with it, whatever becomes of that call."""

import pytest
from msgspec.structs import replace

from baton.engine.decide import decide
from baton.engine.effects import Changes, Decision, checkpoints_in, counted
from baton.engine.step_results import ExtraUsage, ModelAnswered, ModelFailed, StepResult
from baton.sdk.records.limits import Used
from baton.sdk.records.transcript import Failure, Wanted
from tests.unit.baton.engine.sample_state import FAILURE, FOR_GOOD, JOB, NOW_MS, changes_of, decoded, job_of, turn_state

SUMMARY = {"role": "summary", "upTo": 1, "text": "so far", "v": 1}
EXTRA_USAGE = ExtraUsage((SUMMARY,), model_calls=1, cached_calls=2, input_tokens=100, output_tokens=10, cost_usd=0.5)
BESIDES = Used(turns=1, tool_calls=1, input_tokens=110, output_tokens=15, cost_usd=0.6, model_calls=1, cached_calls=2)


def committed(step_result: StepResult) -> Changes:
    return changes_of(decide(turn_state(), step_result, NOW_MS))


@pytest.mark.parametrize(
    "step_result", [ModelAnswered("done"), ModelAnswered("", (Wanted("a", {}),)), ModelFailed(FAILURE)]
)
@pytest.mark.parametrize("shown", [(1, 9), None])
def test_compacted_entries_are_kept_with_the_job(
    step_result: ModelAnswered | ModelFailed, shown: tuple[int, int] | None
) -> None:
    """Until a later turn says more of it."""
    before = replace(JOB, compacted=(1, 4))
    changes = changes_of(
        decide(turn_state(before), replace(step_result, extra_usage=ExtraUsage(compacted=shown)), NOW_MS)
    )
    assert job_of(changes).compacted == (shown or (1, 4))


def test_an_extra_usage_is_kept_where_the_answer_ends_the_job_by_a_limit() -> None:
    """More calls than are left; what was asked for is kept, too, and told to nobody."""
    changes = committed(ModelAnswered("", (Wanted("a", {}), Wanted("b", {}), Wanted("c", {})), extra_usage=EXTRA_USAGE))
    assert changes.ends
    summary, withheld = decoded(changes.transcript)
    assert (summary, withheld["role"], withheld["attempt"]) == (SUMMARY, "withheld", 1)
    assert [call["tool"] for call in withheld["calls"]] == ["a", "b", "c"]


MEMORY = {"role": "memory", "v": 1, "entries": [{"text": "a"}, {"text": "b"}], "warnings": ["no index"]}


@pytest.mark.parametrize(
    "step_result",
    [ModelAnswered("done", extra_usage=ExtraUsage((MEMORY,))), ModelFailed(FAILURE, extra_usage=ExtraUsage((MEMORY,)))],
)
def test_what_was_retrieved_of_memory_is_recorded_and_shown(step_result: StepResult) -> None:
    """The stream tells how much it was and what did not answer, before what the model says."""
    changes = committed(step_result)
    assert decoded(changes.transcript)[0] == MEMORY
    assert decoded(changes.parts)[0] == {"type": "data-memory", "data": {"entries": 2, "warnings": ["no index"]}}


def test_an_extra_usage_stands_in_the_transcript_before_what_was_recorded() -> None:
    """Also of a call that failed: the next attempt need not do it again."""
    changes = committed(ModelAnswered("done", (), 1, 2, 0.0, extra_usage=EXTRA_USAGE))
    assert [entry["role"] for entry in decoded(changes.transcript)] == ["summary", "model"]
    assert decoded(changes.transcript)[0] == SUMMARY
    assert job_of(changes).used == replace(BESIDES, turns=2, input_tokens=111, output_tokens=17, model_calls=2)
    for failure in (FAILURE, FOR_GOOD):
        changes = committed(ModelFailed(failure, extra_usage=EXTRA_USAGE))
        assert (decoded(changes.transcript), job_of(changes).used) == ([SUMMARY], BESIDES)


@pytest.mark.parametrize(("estimated", "used", "noted"), [(90, 100, True), (0, 100, False), (90, 0, False)])
def test_an_estimate_is_noted_beside_what_it_was(estimated: int, used: int, noted: bool) -> None:
    """Where both are known. An answer from the cache is no model call."""
    for cached in (False, True):
        changes = committed(ModelAnswered("done", (), used, 20, 0.5, cached=cached, estimated_tokens=estimated))
        [entry] = decoded(changes.transcript)
        assert entry.get("tokens") == ({"estimated": 90, "input": 100} if noted else None)
        assert not cached or job_of(changes).used == replace(JOB.used, turns=2, cached_calls=1)


PENDING = '{"data":{"type":"approval","status":"pending"},"type":"data-checkpoint"}'


def test_checkpoints_are_counted_by_type_and_status() -> None:
    """Whatever else a part says is not."""
    other = '{"type":"text-delta","delta":"\\"data-checkpoint\\""}'
    assert checkpoints_in([PENDING, other, PENDING]) == {"checkpoints:approval:pending": 2}


def test_a_failed_model_call_is_counted_by_agent_and_kind_and_a_turn_is_not() -> None:
    """Each name would cost its COMMIT a command; what a job has used is counted at its end."""
    failed = ModelFailed(Failure("model_error", "429", retryable=True))
    counts = changes_of(counted(JOB, failed, Decision(Changes()))).counts
    assert counts == {f"model_failures:{JOB.agent}:model_error": 1}
    for decision in (Decision(Changes(parts=('{"type":"start-step"}',))), Decision()):
        assert counted(JOB, ModelAnswered("done", input_tokens=7), decision) == decision
