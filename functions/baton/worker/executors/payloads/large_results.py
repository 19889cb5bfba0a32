"""Large results of tools, around the work itself: read before it, put into the object store after it.

Invariant: a large result is in the object store before the COMMIT that names it. A model gets the beginning of what is
too large for it; code gets all. Must not: run where no object store is configured.
"""

from dataclasses import replace

from msgspec import structs

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.step_results import StepResult, ToolReturned
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.agents.runner import CodeRunner
from baton.sdk.records.transcript import Failure
from baton.worker.executors.executor import Executing, failed
from baton.worker.payloads import Payloads
from baton_events.errors import PayloadGoneError

PAYLOAD_GONE = "payload_gone"


class WithPayloads:
    """Performs a piece of work by `run`."""

    def __init__(self, run: Executing, payloads: Payloads, registry: Registry) -> None:
        self._run, self._payloads, self._registry = run, payloads, registry

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Read the task and the results that the work needs, do it, and put its own result away if it is large."""
        try:
            history = await self._read(effect, history)
        except PayloadGoneError as error:
            return failed(effect, Failure(PAYLOAD_GONE, str(error)))
        step_result = await self._run(effect, history, claim)
        if not isinstance(step_result, ToolReturned) or step_result.apart_bytes:
            return step_result
        if not isinstance(effect, RunTool) or not self._payloads.is_large(step_result.result_json):
            return step_result
        named, size_bytes = await self._payloads.result_stored(effect.job, step_result.result_json)
        return structs.replace(step_result, result_json=named, apart_bytes=size_bytes)

    async def _read(self, effect: Work, history: History) -> History:
        if history.transcript and "apart" in history.transcript[0]:
            first = await self._payloads.task(history.transcript[0])
            history = replace(history, transcript=(first, *history.transcript[1:]))
        if not any("apart" in stored for stored in history.results.values()):
            return history
        if self._is_for_code(effect):
            results = await self._payloads.for_code(history.results)
        else:
            results = await self._payloads.for_models(history.results, history.size_bytes)
        return replace(history, results=results)

    def _is_for_code(self, effect: Work) -> bool:
        """Return whether the results are for a step after theirs, a script or a workflow, and for no model."""
        if isinstance(effect, RunTool):
            return bool(effect.call.after)
        if not isinstance(effect, CallModel):
            return True
        try:
            return isinstance(self._registry.agent(effect.job.agent).runner, CodeRunner)
        except UnknownAgentError:
            return False
