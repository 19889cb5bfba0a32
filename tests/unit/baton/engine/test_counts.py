"""What a decision adds to the counters."""

from baton.engine.effects import Changes, Decision, checkpoints_in, counted
from baton.engine.step_results import ModelAnswered, ModelFailed
from baton.sdk.records import Failure
from tests.unit.baton.engine.sample_state import JOB

PENDING = '{"data":{"type":"approval","status":"pending"},"type":"data-checkpoint"}'


def test_checkpoints_are_counted_by_type_and_status() -> None:
    """Whatever else a part says is not."""
    other = '{"type":"text-delta","delta":"\\"data-checkpoint\\""}'
    assert checkpoints_in([PENDING, other, PENDING]) == {"checkpoints:approval:pending": 2}


def test_a_failed_model_call_is_counted_by_agent_and_kind() -> None:
    failed = ModelFailed(Failure("model_error", "429", retryable=True))
    decision = counted(JOB, failed, Decision(Changes()))
    assert decision.changes is not None
    assert decision.changes.counts == {f"model_failures:{JOB.agent}:model_error": 1}


def test_a_turn_adds_nothing_of_its_own() -> None:
    """Each name would cost its COMMIT a command; what a job has used is counted at its end."""
    decision = Decision(Changes(parts=('{"type":"start-step"}',)))
    assert counted(JOB, ModelAnswered("done", input_tokens=7), decision) == decision


def test_a_decision_without_changes_stays_as_it_is() -> None:
    assert counted(JOB, ModelAnswered("done"), Decision()) == Decision()
