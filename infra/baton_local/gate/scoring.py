"""Scores of a run: from 0 (wrong) to 1 (right), each with the reason where it is not 1."""

import asyncio
import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jsonschema.validators import validator_for

from baton_local.dev.stack_error import StackError
from baton_local.gate.gate_file import ScorerSpec

_SHOWN_CHARS = 300


@dataclass(frozen=True)
class CaseRun:
    """What a scorer of your own is given.

    Attributes:
        task: what the job was asked, with `input_data`.
        status: of the run that is scored; `error`: why it has no answer, if it has none.
        answer: its structured output, or else its text.
        recorded_answer: that of the stored job.
        tool_calls: of the run, in order: `tool`, `arguments`, and `result` or `error`.
        job_id: the job that ran; empty: the run was offline.
    """

    task: str
    input_data: dict[str, Any]
    status: str
    error: str
    answer: Any
    recorded_answer: Any
    tool_calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    job_id: str = ""


@dataclass(frozen=True)
class Score:
    """One score of a case; `why`: what is missing. `job_id`: as of its run."""

    case: str
    scorer: str
    value: float
    minimum: float
    why: str = ""
    job_id: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is high enough."""
        return self.value >= self.minimum


def score(case: str, spec: ScorerSpec, run: CaseRun) -> Score:
    """Score a run.

    Raises:
        StackError: the scorer is not there, or does not score.
    """
    if run.status != "completed":
        why = f"the run is {run.status}: {run.error}"[:_SHOWN_CHARS]
        return Score(case, spec.name, 0.0, spec.min, why, run.job_id)
    value, why = _SCORERS[spec.type](spec, run)
    return Score(case, spec.name, value, spec.min, "" if value >= spec.min else why[:_SHOWN_CHARS], run.job_id)


def answer_of(result: dict[str, Any] | None) -> Any:
    """Return what a job answers: its structured output, or else its text."""
    if result is None:
        return None
    return result["output"] if "output" in result else result.get("answer", result)


def _exact(spec: ScorerSpec, run: CaseRun) -> tuple[float, str]:
    return float(run.answer == spec.value), f"it answers {_text(run.answer)}"


def _contains(spec: ScorerSpec, run: CaseRun) -> tuple[float, str]:
    return float(spec.value in _text(run.answer)), f"{spec.value!r} is not in {_text(run.answer)}"


def _schema(spec: ScorerSpec, run: CaseRun) -> tuple[float, str]:
    checker = validator_for(spec.value)(spec.value)
    fault = next(iter(checker.iter_errors(run.answer)), None)
    return (0.0, fault.message) if fault else (1.0, "")


def _python(spec: ScorerSpec, run: CaseRun) -> tuple[float, str]:
    module, name = spec.value.split(":")
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StackError(f"scorer {spec.name!r}: {spec.value} cannot be imported: {error}") from error
    value = function(run)
    if inspect.isawaitable(value):
        value = asyncio.run(_awaited(value))
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        raise StackError(f"scorer {spec.name!r}: {spec.value} gave {value!r}; return a number from 0 to 1, or a bool")
    return float(value), f"{spec.value} gave {value} for {_text(run.answer)}"


def _judge(spec: ScorerSpec, run: CaseRun) -> tuple[float, str]:
    try:
        judging: Any = importlib.import_module("pydantic_evals.evaluators.llm_as_a_judge")
    except ImportError as error:
        raise StackError(f"scorer {spec.name!r} needs pydantic-evals: pip install pydantic-evals ({error})") from error
    graded = asyncio.run(judging.judge_input_output(run.task, run.answer, spec.value, spec.model))
    return float(graded.score), str(graded.reason)


async def _awaited(value: Any) -> Any:
    return await value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_SCORERS: dict[str, Callable[[ScorerSpec, CaseRun], tuple[float, str]]] = {
    "exact": _exact,
    "contains": _contains,
    "schema": _schema,
    "python": _python,
    "judge": _judge,
}
