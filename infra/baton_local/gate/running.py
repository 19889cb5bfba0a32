"""Runs a gate's cases: offline by recorded answers and the code as it is now, online as forks of the stored jobs."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from baton.engine.transitions import END_STATUSES
from baton.sdk.agents.registry import Registry
from baton_local.dev.stack_error import StackError
from baton_local.gate.gate_file import CaseSpec, GateSpec
from baton_local.gate.scoring import CaseRun, Score, answer_of, score
from baton_local.replay.playing import played
from baton_local.replay.recorded import RecordedJob, Recording, read_file, read_recording

_LOOK_SECONDS = 0.5


class Api(Protocol):
    """The API of a deployment."""

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Get a JSON object."""
        ...

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send a request."""
        ...

    def recording(self, job_id: str) -> str:
        """Get a job's recording."""
        ...


def scores(gate: GateSpec, api: Callable[[], Api], registry: Callable[[], Registry]) -> Iterator[Score]:
    """Run the cases in order, each with its scores as they come.

    Args:
        gate: what is run.
        api: the deployment that has the jobs; called only where it is needed.
        registry: the agents as they are now; called only where they are needed.

    Raises:
        StackError: a case cannot be run.
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
    """Return the fork at its end, and why it was cancelled, if it was."""
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
