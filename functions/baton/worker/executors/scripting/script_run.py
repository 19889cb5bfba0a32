"""One stretch of a script of the model: from its begin, or from the results of its calls, until it waits again or ends.

A place that is free goes to the tenant with the fewest scripts at work, of these to the one whose turn is longest ago.
A tenant that has a place leaves the last one to others, so another tenant's script begins at once. Invariant: whatever
the script does, the outcome is a step result; the model is told of a failure, and the job goes on. A script that waits
has not begun; after a few seconds it is given back, which is no attempt, and its event comes again.
Must not: import the interpreter before a stretch runs.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import RunScript, Work
from baton.engine.script import SCRIPT_ERROR
from baton.engine.state import RunningScript
from baton.engine.step_results import ModelFailed, ScriptEnded, ScriptWaits, StepResult
from baton.sdk.agents.code_mode import without_secrets
from baton.sdk.agents.registry import Registry, UnknownAgentError, has_servers
from baton.sdk.code_mode.places import SCRIPTS_AT_ONCE
from baton.sdk.models.model import NEWER_STATE
from baton.sdk.records.limits import SNAPSHOT_LIMIT_BYTES
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.records.transcript import Failure, Script, Wanted
from baton.sdk.tools.running_calls import NotYetError
from baton.sdk.tools.stubs import stubs_of
from baton.sdk.tools.tool import Tool, checked_call
from baton.settings.settings import CLAIM_MARGIN_SECONDS
from baton.worker.container import Container
from baton.worker.executors.bounded import Traced, prompt_too_large
from baton.worker.executors.executor import Executing, OutcomeDoor
from baton.worker.runtime.spec import Executor
from baton_events.ids import canonical_json

# After a longer wait the claim might end before the work, as of a call that waits for its limits.
_PATIENCE_SECONDS = CLAIM_MARGIN_SECONDS / 2
# Those of one tenant come again one after the other.
_SPREAD_MS, _LONGEST_MS = 1_000, 60_000
_TENANTS = 1_000
_WAITS_FOR = "line of scripts"
_T = TypeVar("_T")


class Line:
    """The line for so many `places`."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._at_work = Counter[str]()
        self._turns = dict[str, int]()  # the number of a tenant's last turn, the oldest first
        self._turn = 0
        self._waiting = list[tuple[str, asyncio.Future[None]]]()

    async def run(self, tenant: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Do the work once there is a place, which is taken until the work ends, also where its caller is cancelled.

        Raises NotYetError: there is none yet.
        """
        if not self._begins(tenant):
            await self._place(tenant)
        task = asyncio.ensure_future(work())
        task.add_done_callback(lambda _: self._leave(tenant))
        return await asyncio.shield(task)

    async def _place(self, tenant: str) -> None:
        begins = tenant, asyncio.get_running_loop().create_future()
        self._waiting.append(begins)
        try:
            await asyncio.wait([begins[1]], timeout=_PATIENCE_SECONDS)
        except asyncio.CancelledError:
            if begins[1].done():
                self._leave(tenant)
            raise
        finally:
            if not begins[1].done():
                self._waiting.remove(begins)
        if not begins[1].done():
            others = sum(one == tenant for one, _ in self._waiting)
            raise NotYetError(min(_LONGEST_MS, _SPREAD_MS * (1 + others)), _WAITS_FOR)

    def _begins(self, tenant: str) -> bool:
        if self._free <= (1 if self._at_work[tenant] else 0):
            return False
        self._free -= 1
        self._at_work[tenant] += 1
        self._turn += 1
        self._turns.pop(tenant, None)
        self._turns[tenant] = self._turn
        if len(self._turns) > _TENANTS:
            del self._turns[next(iter(self._turns))]
        return True

    def _leave(self, tenant: str) -> None:
        self._free += 1
        self._at_work[tenant] -= 1
        for begins in sorted(self._waiting, key=lambda one: (self._at_work[one[0]], self._turns.get(one[0], 0))):
            if self._begins(begins[0]):
                self._waiting.remove(begins)
                begins[1].set_result(None)
                break
        self._at_work += Counter()  # forget those who have nothing at work


_CUT_NOTE = "\n… (cut: print less)"
# Of a call whose tool is gone: a process of an older deploy may not know it yet.
_RETRIES_WITHOUT_TOOL = 2
_LOST = "the result is not recorded"


class ScriptRun:
    """Performs RunScript. `limit_bytes`: of the results that it may read at once."""

    def __init__(self, registry: Registry, limit_bytes: int, line: Line) -> None:
        self._registry, self._limit_bytes, self._line = registry, limit_bytes, line

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:
        """Run the stretch. Raises NotYetError: it has to wait for others, and has not begun."""
        assert isinstance(effect, RunScript), "this executor is registered for RunScript"
        running = effect.job.scripts[0]
        try:
            tools = self._registry.tools_of(effect.job.agent)
        except UnknownAgentError as error:
            return ModelFailed(Failure("unknown_agent", str(error), retryable=True), is_unfit=True)
        if running.script.snapshot and not effect.news:  # nothing has ended yet
            return ScriptWaits((), running.script)
        too_large = prompt_too_large(history.size_bytes, self._limit_bytes)
        if too_large is not None:
            return _failed(running.script, too_large.message)
        stretch = partial(in_own_thread, _stretch, running, tools, effect.news, history.results, claim.now_ms)
        found: StepResult = await self._line.run(effect.job.tenant, stretch)
        return found


def script_run(container: Container) -> Executor:
    """Make the executor from the process's container."""
    registry, limit_bytes = container.registry, container.settings.prompt_limit_bytes

    line = Line(SCRIPTS_AT_ONCE)

    def run_with(registry: Registry) -> Executing:
        return ScriptRun(registry, limit_bytes, line)

    run = run_with(registry)
    if has_servers(registry):
        from baton.worker.executors.server_agents import WithServers  # noqa: PLC0415 - few applications have such agents

        run = WithServers(registry, run_with, container.ports.model_cache)
    work: Executor = OutcomeDoor(run, container.secrets)
    return Traced(work, registry) if container.ports.tracer is not None else work


def _stretch(
    running: RunningScript, tools: Mapping[str, Tool], news: tuple[str, ...], results: Mapping[str, Any], now_ms: int
) -> StepResult:
    from baton.sdk.code_mode.interpreter import StateRefusedError, WorkerDiedError  # noqa: PLC0415 - a large library

    try:
        script = _without(running.script, news)
        return _outcome(_run(running, script, tools, _outcomes(running.script, news, results), now_ms), script, tools)
    except WorkerDiedError:
        return _failed(running.script, "The script's process died: it may have used too much memory.")
    except StateRefusedError as error:
        return ModelFailed(Failure(NEWER_STATE, f"the script's state is refused: {error}", retryable=True))


def _outcomes(script: Script, news: tuple[str, ...], results: Mapping[str, Any]) -> dict[int, Any]:
    """Return what has ended, by the interpreter's numbers, in the order in which it ended."""
    numbers, lost = dict(zip(script.calls, script.numbers, strict=True)), {"type": "unknown", "message": _LOST}
    return {numbers[name]: results.get(name, {"error": lost}) for name in news if name in numbers}


def _without(script: Script, news: tuple[str, ...]) -> Script:
    rest = [one for one in zip(script.numbers, script.calls, script.waits_at, strict=True) if one[1] not in news]
    numbers, calls, lines = zip(*rest, strict=True) if rest else ((), (), ())
    return replace(script, numbers=numbers, calls=calls, waits_at=lines)


def _run(
    running: RunningScript, script: Script, tools: Mapping[str, Tool], outcomes: Mapping[int, Any], now_ms: int
) -> Any:
    from baton.sdk.code_mode.interpreter import Stretch  # noqa: PLC0415 - as above

    stretch = Stretch(running.call.id, now_ms, script.limits, script.tools, script.code)
    if not script.snapshot:
        known = {name: tools[name] for name, _ in script.tools.values() if name in tools}
        return stretch.begin(f"from typing import Any\n{stubs_of(known, checked=True)}")
    return stretch.resume(base64.b64decode(script.snapshot), outcomes, len(script.calls))


def _outcome(found: Any, script: Script, tools: Mapping[str, Tool]) -> StepResult:
    from baton.sdk.code_mode.interpreter import Raised, Waits  # noqa: PLC0415 - as above

    printed = _cut(script.printed + found.printed, script.limits.output_chars)
    script = replace(script, printed=printed)
    if isinstance(found, Raised):
        return _failed(script, found.shown)
    if not isinstance(found, Waits):
        return _ended(found.value, script)
    state = base64.b64encode(found.state).decode()
    if len(state) > SNAPSHOT_LIMIT_BYTES:
        message = f"The script's state has {len(state)} bytes, over the limit of {SNAPSHOT_LIMIT_BYTES}"
        return _failed(script, f"{message}: keep less in variables. Its last calls have not run.")
    wanted = tuple([_wanted(tool, arguments, tools) for _, tool, arguments in found.calls])
    numbers = (*script.numbers, *[number for number, _, _ in found.calls])
    return ScriptWaits(
        wanted, replace(script, snapshot=state, numbers=numbers, waits_at=(*script.waits_at, *found.lines))
    )


def _wanted(tool: str, arguments: dict[str, Any], tools: Mapping[str, Tool]) -> Wanted:
    if tool not in tools:
        return Wanted(tool, arguments, None, _RETRIES_WITHOUT_TOOL)
    return checked_call(tool, arguments, tools)


def _ended(value: Any, script: Script) -> StepResult:
    text, limit_chars = canonical_json(value), script.limits.output_chars
    if len(text) > limit_chars:
        message = f"The script's value has {len(text)} characters, over the limit of {limit_chars}: return less"
        return _failed(script, f"{message}. Its calls have run.")
    result = {"value": value, **({"printed": script.printed} if script.printed else {})}
    return ScriptEnded(_secrets_in(script).hide_in_json(canonical_json(result)))


def _failed(script: Script, message: str) -> ScriptEnded:
    message = _cut(message.rstrip(), script.limits.output_chars)
    printed = f"\n\nPrinted before:\n{script.printed}" if script.printed else ""
    return ScriptEnded(failure=Failure(SCRIPT_ERROR, _secrets_in(script).hide(message + printed)))


def _secrets_in(script: Script) -> KnownSecrets:
    return KnownSecrets(without_secrets(script.code, script.tools)[1])


def _cut(text: str, limit_chars: int) -> str:
    return text if len(text) <= limit_chars else f"{text[:limit_chars].removesuffix(_CUT_NOTE)}{_CUT_NOTE}"
