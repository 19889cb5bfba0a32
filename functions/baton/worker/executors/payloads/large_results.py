"""Large results of tools, around the work itself: read before it, put into the object store after it.

Invariant: a large result is in the object store before the COMMIT that names it. A model gets the beginning of what is
too large for it; code gets all. Must not: run where no object store is configured.
"""

from collections.abc import Callable
from dataclasses import replace

from msgspec import structs

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunScript, RunTool, Work, failed
from baton.engine.step_results import ScriptEnded, StepResult, ToolReturned
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.agents.runner import CodeRunner
from baton.sdk.records.transcript import Failure
from baton.store.records.objects import objects_in
from baton.worker.executors.executor import Executing
from baton.worker.payloads import SCRIPT_APART, Payloads
from baton_events.errors import PayloadGoneError

PAYLOAD_GONE = "payload_gone"
TooLarge = Callable[[int, int], Failure | None]


class WithPayloads:
    """Performs a piece of work by `executor`. `too_large`: judges the bytes that it reads, by a limit."""

    def __init__(self, executor: Executing, payloads: Payloads, registry: Registry, too_large: TooLarge) -> None:
        self.executor = executor
        self._payloads, self._registry, self._too_large = payloads, registry, too_large

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Read the task and the results that the work needs, do it, and put its own result away if it is large."""
        apart_bytes = sum(entry["apart"]["bytes"] for entry in history.transcript if "apart" in entry)
        if apart_bytes and (failure := self._too_large(history.size_bytes + apart_bytes, self._payloads.whole_bytes)):
            return failed(effect, failure)
        try:
            history = await self._read(effect, history, apart_bytes)
            effect = await self._with_state(effect)
        except PayloadGoneError as error:
            return failed(effect, Failure(PAYLOAD_GONE, str(error)))
        step_result = await self.executor(effect, history, claim)
        if not isinstance(step_result, ToolReturned | ScriptEnded) or step_result.apart_bytes:
            return step_result
        if not self._payloads.is_large(step_result.result_json):
            return step_result
        named, size_bytes = await self._payloads.result_stored(effect.job, step_result.result_json)
        return structs.replace(step_result, result_json=named, apart_bytes=size_bytes)

    async def _with_state(self, effect: Work) -> Work:
        if not isinstance(effect, RunScript):
            return effect
        running, *later = effect.job.scripts
        if not running.script.snapshot.startswith(SCRIPT_APART):
            return effect
        state = await self._payloads.known.content(running.script.snapshot.removeprefix(SCRIPT_APART))
        script = structs.replace(running.script, snapshot=state.decode())
        scripts = (structs.replace(running, script=script), *later)
        return structs.replace(effect, job=structs.replace(effect.job, scripts=scripts))

    async def _read(self, effect: Work, history: History, apart_bytes: int) -> History:
        if apart_bytes:
            entries = [await self._payloads.whole_record(entry) for entry in history.transcript]
            history = replace(history, transcript=tuple(entries), size_bytes=history.size_bytes + apart_bytes)
        if not objects_in(history.results.values()):
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
