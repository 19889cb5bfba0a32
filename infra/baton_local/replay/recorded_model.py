"""Models that answer what is recorded. Each has the name and the ways of the model that it stands for."""

from typing import Any

from baton.agents.output import FINAL_TOOL
from baton.models.call import Call
from baton.models.model import Model, ModelAnswer, ModelError, ModelRequest
from baton.planning.plan import PLAN_TOOL
from baton_local.replay.play import Play
from baton_local.replay.recorded import RecordedJob


class RecordedModel:
    """Answers a turn as it was answered; keeps what it was asked."""

    def __init__(self, real: Model, play: Play) -> None:
        self.name = real.name
        self.reads_history = real.reads_history
        self._play = play

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """The recorded answer of the attempt that is under way.

        Raises:
            ModelError, TimeoutError: as it failed then.
        """
        asked = self._play.current
        self._play.requests[asked.job_id, asked.turn] = request
        job = self._play.jobs[asked.job_id]
        entry = job.said(asked.turn, asked.attempt)
        if entry is not None:
            return _answer(entry, _calls(job, asked.turn, entry))
        attempt = job.attempt(asked.turn, asked.attempt)
        failure = attempt.failure if attempt else None
        assert failure is not None, "the executor looks first whether there is an answer or a failure"
        if failure.type == "model_timeout":
            raise TimeoutError
        raise ModelError(failure.message, retryable=failure.retryable)


class RecordedSummarizer:
    """Gives the summaries that were written for the turn that is under way, in order; then it has none."""

    def __init__(self, real: Model, play: Play) -> None:
        self.name = real.name
        self.reads_history = real.reads_history
        self._play = play

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """The next recorded summary.

        Raises:
            ModelError: none was written, or no other: the turn goes on without, as it did then.
        """
        del request
        asked = self._play.current
        key = (asked.job_id, asked.turn)
        given = self._play.summaries_given.get(key, 0)
        recorded = self._play.jobs[asked.job_id].summaries(asked.turn)
        if given >= len(recorded):
            raise ModelError("the recording has no summary here", retryable=False)
        self._play.summaries_given[key] = given + 1
        return _answer(recorded[given], ())


def _answer(entry: dict[str, Any], calls: tuple[Call, ...]) -> ModelAnswer:
    usage = entry.get("usage") or {}
    return ModelAnswer(
        entry["text"],
        calls,
        input_tokens=usage.get("inputTokens", 0),
        output_tokens=usage.get("outputTokens", 0),
        cost_usd=usage.get("costUsd", 0.0),
        cached=usage.get("cached", False),
        cached_input_tokens=usage.get("cachedInputTokens", 0),
        provider=entry.get("provider"),
    )


def _calls(job: RecordedJob, turn: int, entry: dict[str, Any]) -> tuple[Call, ...]:
    """The calls as the model asked for them: a plan is one, and so is an answer that has a type."""
    calls = entry["calls"]
    if any(call.get("step") for call in calls):
        return (Call(PLAN_TOOL, {"steps": [_step(job, turn, place, call) for place, call in enumerate(calls)]}),)
    if not calls and job.result is not None and isinstance(job.result.get("output"), dict):
        return (Call(FINAL_TOOL, job.result["output"]),)
    if len(calls) == 1 and calls[0]["tool"] == FINAL_TOOL and not calls[0]["arguments"] and entry["text"]:
        return ()  # the text was the answer, and did not fit
    return tuple(Call(call["tool"], call["arguments"]) for call in calls)


def _step(job: RecordedJob, turn: int, position: int, call: dict[str, Any]) -> dict[str, Any]:
    recorded = job.call(turn, position)
    return {
        "name": call["step"],
        "tool": call["tool"],
        "arguments": call["arguments"],
        "depends_on": list(call.get("dependsOn", ())),
        "on_failure": (recorded and recorded.on_failure) or "fail",
    }
