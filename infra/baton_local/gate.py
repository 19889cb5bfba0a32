"""Runs a gate's cases again, and scores them: from 0 (wrong) to 1 (right), each with the reason where it is not 1.

Offline by recorded answers and the code as it is now, online as forks of the stored jobs. The gate's file says which
stored jobs run again, how, and what their answers must score:

```yaml
mode: offline              # recorded model answers, the code as it is now; or online: ask the models again
cases:
  - name: prices
    job: job_2c5…          # a job's id, or a recording's file
    scorers:
      - {name: right, type: exact, value: Pears are cheaper.}
      - {name: polite, type: python, value: "scorers:polite", min: 0.8}
```
"""

import asyncio
import importlib
import inspect
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol
from urllib.parse import quote

import yaml
from jsonschema import SchemaError
from jsonschema.validators import validator_for
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from baton.engine.transitions import END_STATUSES
from baton.sdk.agents.registry import Registry
from baton_local.dev.stack_error import StackError
from baton_local.replay.playing import played
from baton_local.replay.recorded import RecordedJob, Recording, read_file, read_recording


class GateFileError(ValueError):
    """The file is none of a gate; the message names each fault and its place."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class ScorerSpec(_Part):
    """One score. `min`: the lowest that is good enough, from 0 to 1. `model`: of a judge, whose value is the rubric."""

    name: Annotated[str, Field(min_length=1)]
    type: Literal["exact", "contains", "schema", "python", "judge"]
    value: Any
    min: Annotated[float, Field(ge=0, le=1)] = 1.0
    model: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> "ScorerSpec":
        if self.type == "schema":
            try:
                validator_for(self.value).check_schema(self.value)
            except SchemaError as error:
                raise ValueError(f"its value is no JSON schema: {error.message}") from error
        elif self.type != "exact" and not (isinstance(self.value, str) and self.value):
            raise ValueError(f"the value of a scorer of type {self.type!r} is a text, got {self.value!r}")
        if self.type == "python" and len(self.value.split(":")) != 2:  # noqa: PLR2004 - both sides of it
            raise ValueError(f"its value is MODULE:FUNCTION, got {self.value!r}")
        if self.model is not None and self.type != "judge":
            raise ValueError(f"only a judge has a model, not a scorer of type {self.type!r}")
        return self


class CaseSpec(_Part):
    """One stored job, and its scores."""

    name: Annotated[str, Field(min_length=1)]
    job: Annotated[str, Field(min_length=1)]
    scorers: Annotated[tuple[ScorerSpec, ...], Field(min_length=1)]


class GateSpec(_Part):
    """A gate. Online, `tools_run` is as in a fork, and a job may take `timeout_seconds`."""

    mode: Literal["offline", "online"] = "offline"
    tools_run: Literal["recorded", "again"] = "recorded"
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    cases: Annotated[tuple[CaseSpec, ...], Field(min_length=1)]


def read_gate(path: Path) -> GateSpec:
    """Read a gate's file. Raises GateFileError: it cannot be read, or something in it is wrong."""
    try:
        return GateSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise GateFileError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GateFileError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()]
        raise GateFileError(
            "\n".join([f"{path} is no file of a gate:", *(f"- {fault}" for fault in faults)])
        ) from error


_SHOWN_CHARS = 300


@dataclass(frozen=True)
class CaseRun:
    """What a scorer of your own is given.

    `task`: what the job was asked, with `input_data`. `status`: of the run that is scored; `error`: why it has no
    answer, if it has none. `answer`: its structured output, or else its text. `recorded_answer`: that of the stored
    job. `tool_calls`: of the run, in order: `tool`, `arguments`, and `result` or `error`. `job_id`: the job that ran;
    empty: the run was offline.
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
    """Score a run. Raises StackError: the scorer is not there, or does not score."""
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


_LOOK_SECONDS = 0.5


class Api(Protocol):
    def get(self, path: str, **query: Any) -> dict[str, Any]: ...

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]: ...

    def recording(self, job_id: str) -> str: ...


def scores(gate: GateSpec, api: Callable[[], Api], registry: Callable[[], Registry]) -> Iterator[Score]:
    """Run the cases in order, each with its scores as they come.

    `gate`: what is run. `api`: the deployment that has the jobs; called only where it is needed. `registry`: the
    agents as they are now; called only where they are needed.

    Raises StackError: a case cannot be run.
    """
    for case in gate.cases:
        try:
            run = _online(gate, case, api()) if gate.mode == "online" else _offline(case, api, registry())
        except StackError as error:
            raise StackError(f"case {case.name!r}: {error}") from error
        for scorer in case.scorers:
            yield score(case.name, scorer, run)


def _offline(case: CaseSpec, api: Callable[[], Api], registry: Registry) -> CaseRun:
    stored = _recording(case, api).job
    now = asyncio.run(played(stored, registry)).job
    error = str(now.error or "")
    return CaseRun(
        stored.task_description,
        stored.input_data,
        now.status,
        error or ("it goes on where the recording ends" if now.status not in END_STATUSES else ""),
        answer_of(now.result),
        answer_of(stored.result),
        _calls(now),
    )


def _recording(case: CaseSpec, api: Callable[[], Api]) -> Recording:
    path = Path(case.job)
    if path.is_file():
        return read_file(path)
    return read_recording(api().recording(case.job), f"job {case.job}")


def _calls(job: RecordedJob) -> list[dict[str, Any]]:
    return [{"tool": call.tool, "arguments": call.arguments, **_given(call.outcome or {})} for call in job.tool_calls]


def _given(outcome: dict[str, Any]) -> dict[str, Any]:
    return {"result": outcome["ok"]} if "ok" in outcome else {"error": outcome.get("error")}


def _online(gate: GateSpec, case: CaseSpec, api: Api) -> CaseRun:
    path = f"/api/agent-jobs/{quote(case.job, safe='')}"
    stored = api.get(path)
    forked = api.request("POST", f"{path}/fork", {"turn": 1, "toolsRun": gate.tools_run})
    job, error = _ended(gate, api, f"/api/agent-jobs/{forked['id']}")
    return CaseRun(
        stored["taskDescription"],
        stored["inputData"],
        job["status"],
        error or (job["error"] or {}).get("message", ""),
        answer_of(job["result"]),
        answer_of(stored["result"]),
        job["toolCalls"],
        forked["id"],
    )


def _ended(gate: GateSpec, api: Api, path: str) -> tuple[dict[str, Any], str]:
    until = time.monotonic() + gate.timeout_seconds
    while True:
        job = api.get(path)
        if job["status"] in END_STATUSES:
            return job, ""
        error = _why_no_end(api, path, job) or (
            f"it had not ended after {gate.timeout_seconds:g} s" if time.monotonic() > until else ""
        )
        if error:
            return api.request("PATCH", path, {"action": "cancel"}), error
        time.sleep(_LOOK_SECONDS)


def _why_no_end(api: Api, path: str, job: dict[str, Any]) -> str:
    if job["status"] != "waiting":
        return ""
    asked = [one for one in api.get(f"{path}/checkpoints")["checkpoints"] if one["status"] == "pending"]
    if not asked:
        return ""
    return f"tool {asked[0]['tool']!r} needs an approval: no recorded call is the same (toolsRun: again runs it)"
