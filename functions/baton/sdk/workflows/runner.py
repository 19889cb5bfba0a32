"""Runs a workflow stretch by stretch: a turn of its job is a stretch, and its calls are what the code waits for.

Invariant: a job goes on with the code that it began with, which its state holds. A state that the interpreter refuses
is made again once from the recorded outcomes. Must not: import the interpreter before a stretch runs.
"""

import base64
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_jsonable_python

from baton.sdk.agents.runner import CallReturned, CodeRunner, Recorded, RunFailedError, RunnerAnswer, RunnerCall
from baton.sdk.models.model import ANSWER_LIMIT_BYTES, Call, Listener, ModelAnswer, ModelError
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.tools.arguments import InvalidArguments, shortened
from baton.sdk.tools.tool_error import ToolError
from baton.sdk.workflows.program import Program
from baton.sdk.workflows.task_groups import OF_GROUP
from baton_events.ids import canonical_json, digest

# Raised where an older version of this code would misread a recorded stretch.
STRETCH_VERSION = 1
STATE_LIMIT_BYTES = 1_000_000
_STRETCH = "workflowStretch"
_log = logging.getLogger("baton.workflows")


class WorkflowRunner(CodeRunner):
    """`Runner` of a workflow."""

    name = ""
    toolsets: Sequence[Any] = ()

    def __init__(
        self,
        workflow: str,
        function: Callable[..., Any],
        program: Program,
        read: Callable[[dict[str, Any]], dict[str, Any]],
        returns: Any,
    ) -> None:
        self._workflow, self._program, self._read, self._returns = workflow, program, read, returns
        self.functions = (function,)
        self.classes: Mapping[str, type] = {}

    @cached_property
    def _digest(self) -> str:
        return digest(self._program_json.decode())

    @property
    def _files(self) -> list[tuple[str, Sequence[int]]]:
        """The names of the user's files, each with the numbers of lines that were added to it."""
        return [(shown, added) for shown, _, added in self._program.files]

    @cached_property
    def _program_json(self) -> bytes:
        return msgspec.json.encode(self._program)

    def made_of(self) -> dict[str, Any]:
        """Return the digest of its code."""
        return {"workflow": self._digest}

    def takes_file(self, media_type: str) -> bool:  # noqa: ARG002 - the protocol's
        """Return that it takes none."""
        return False

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Leave the check to the tool."""

    def check_input(self, data: dict[str, Any]) -> None:
        """Check a job's data before the job is accepted."""
        self._read(data)

    async def turn(self, recorded: Recorded, listener: Listener | None) -> RunnerAnswer:  # noqa: ARG002 - no text
        """Run the next stretch."""
        from baton.sdk.code_mode.interpreter import StateRefusedError, WorkerDiedError  # noqa: PLC0415 - a large library

        last = recorded.turns[-1] if recorded.turns else None
        try:
            if last is None:
                return await self._begin(recorded)
            stretch = _stretch_of(last)
            try:
                return self._answer(await self._resumed(stretch, last, recorded), recorded, stretch)
            except StateRefusedError as error:
                return self._answer(await self._made_again(recorded, error), recorded, stretch)
        except WorkerDiedError as error:
            raise ModelError(f"the interpreter's process died: {error}", retryable=True, type="worker_died") from error

    async def call(self, recorded: Recorded, call: RunnerCall) -> CallReturned:  # noqa: ARG002 - the protocol's
        """Fail: all calls are the registry's tools, and this one is gone."""
        raise ToolError(f"there is no tool {call.tool!r}", retryable=True, type="unknown_tool")

    async def abandon(self, recorded: Recorded) -> None:
        """Do nothing: no provider works for it."""

    def messages(self, turns: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]) -> str:  # noqa: ARG002
        """Return that there are none."""
        return ""

    async def _begin(self, recorded: Recorded) -> RunnerAnswer:
        job = recorded.job
        try:
            values = self._read(job.input_data)
        except InvalidArguments as error:
            raise RunFailedError("invalid_input", "\n".join(error.faults)) from error
        found = await self._begun(self._program, values, recorded, recorded.now_ms)
        return self._answer(found, recorded, None, values)

    async def _made_again(self, recorded: Recorded, refused: Exception) -> Any:
        """Run the code that the job began with through all its recorded outcomes, and the next stretch."""
        if recorded.whole is None:
            raise ModelError(f"the state is refused: {refused}", retryable=True, type="newer_state")
        whole = await recorded.whole()
        stretches = [_stretch_of(entry) for entry in whole.turns]
        first, times = stretches[0], [*(each["now"] for each in stretches[1:]), recorded.now_ms]
        program = msgspec.json.decode(zlib.decompress(base64.b64decode(first["code"])), type=Program)
        found = await self._begun(program, first["input"], whole, first["now"])
        for entry, now_ms in zip(whole.turns, times, strict=True):
            asked = [(call["tool"], call["arguments"]) for call in entry["calls"]]
            if [(tool, arguments) for _, tool, arguments in getattr(found, "calls", ())] != asked:
                raise RunFailedError("state_lost", f"turn {entry['turn']} cannot be made again from its records")
            numbers = [number for number, _, _ in found.calls]
            found = await _run(self._stretch(whole, now_ms).resume, found.state, _outcomes(numbers, entry, whole))
        return found

    def _stretch(self, recorded: Recorded, now_ms: int) -> Any:
        from baton.sdk.workflows.interpreter import Stretch  # noqa: PLC0415 - as above

        return Stretch(recorded.job.job_id, now_ms, self.classes)

    async def _begun(self, program: Program, values: dict[str, Any], recorded: Recorded, now_ms: int) -> Any:
        job = recorded.job
        info = {"job_id": job.job_id, "session_id": job.session_id, "tenant": job.tenant, "task": job.task}
        return await _run(self._stretch(recorded, now_ms).run_program, program, values, info)

    async def _resumed(self, stretch: Mapping[str, Any], entry: Mapping[str, Any], recorded: Recorded) -> Any:
        outcomes = _outcomes(stretch["numbers"], entry, recorded)
        stretched = self._stretch(recorded, recorded.now_ms)
        return await _run(stretched.resume, base64.b64decode(stretch["state"]), outcomes)

    def _answer(
        self,
        found: Any,
        recorded: Recorded,
        stretch: Mapping[str, Any] | None,
        begun_with: dict[str, Any] | None = None,
    ) -> RunnerAnswer:
        """Answer a turn. `stretch`: the one before; None: there is none, and the run was `begun_with` these values."""
        from baton.sdk.workflows.interpreter import VERSION, Raised, Waits  # noqa: PLC0415 - as above

        if found.printed:
            _log.info("%s: %s", recorded.job.job_id, found.printed.rstrip())
        if isinstance(found, Raised):
            self._fail(found, recorded, stretch)
        if not isinstance(found, Waits):
            return self._ended(found.value, stretch)
        state = base64.b64encode(found.state).decode()
        if len(state) > STATE_LIMIT_BYTES:
            what = f"the state has {len(state)} bytes, over the limit of {STATE_LIMIT_BYTES}"
            raise RunFailedError("state_too_large", f"{what}: keep large data in files, in a store, or behind an id")
        kept = {
            "v": STRETCH_VERSION,
            "interpreter": VERSION,
            "now": recorded.now_ms,
            "numbers": [number for number, _, _ in found.calls],
            "code_digest": self._digest if stretch is None else stretch["code_digest"],
            "files": self._files if stretch is None else stretch["files"],
            "state": state,
        }
        if stretch is None:
            kept["code"] = base64.b64encode(zlib.compress(self._program_json)).decode()
            kept["input"] = begun_with
        calls = tuple([Call(tool, arguments) for _, tool, arguments in found.calls])
        return RunnerAnswer(ModelAnswer(calls=calls, provider={_STRETCH: kept}), asked=False)

    def _ended(self, value: Any, stretch: Mapping[str, Any] | None) -> RunnerAnswer:
        output = value
        if stretch is None or stretch["code_digest"] == self._digest:  # another code had another annotation
            output = _checked(self._returns, value)
        text = output if isinstance(output, str) else "" if output is None else canonical_json(output)
        if (size_bytes := len(text.encode())) > ANSWER_LIMIT_BYTES:
            what = f"the result has {size_bytes} bytes, over the limit of {ANSWER_LIMIT_BYTES}"
            raise RunFailedError("result_too_large", f"{what}: keep large data in files, in a store, or behind an id")
        return RunnerAnswer(ModelAnswer(text=text), output=output, asked=False)

    def _fail(self, raised: Any, recorded: Recorded, stretch: Mapping[str, Any] | None) -> NoReturn:
        from baton.sdk.code_mode.host_values import settled  # noqa: PLC0415 - as above

        files = self._files if stretch is None else stretch["files"]
        kind, message = raised.type, raised.message
        if message.startswith(OF_GROUP):  # the interpreter has no groups of exceptions
            kind = "ExceptionGroup"
        for outcome in _errors(recorded):
            if settled({"error": outcome}) == {"exc_type": raised.type, "message": raised.message}:
                kind, message = outcome["type"], outcome["message"]
        frames = [
            f'File "{files[number - 1][0]}", line {_line(line, files[number - 1][1])}, in {function}'
            for number, line, function in raised.frames
            if 0 < number <= len(files)
        ]
        raise RunFailedError(kind, "\n".join([message or kind, *frames]))


def _line(number: int, added: Sequence[int]) -> int:
    return number - sum(each <= number for each in added)


def _stretch_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the recorded stretch of a turn.

    Raises:
        ModelError: a newer version of this code has written it.
    """
    stretch: Mapping[str, Any] = (entry.get("provider") or {}).get(_STRETCH) or {}
    if stretch.get("v") != STRETCH_VERSION:
        message = f"turn {entry['turn']} has a state of version {stretch.get('v')!r}, this code knows {STRETCH_VERSION}"
        raise ModelError(message, retryable=True, type="newer_state")
    return stretch


async def _run(run: Callable[..., Any], *values: Any) -> Any:
    return await in_own_thread(run, *values)


def _outcomes(numbers: Sequence[int], entry: Mapping[str, Any], recorded: Recorded) -> dict[int, Mapping[str, Any]]:
    lost = {"error": {"type": "unknown", "message": "the result is not recorded"}}
    found = [
        recorded.results.get(call["id"]) or ({"error": call["error"]} if "error" in call else lost)
        for call in entry["calls"]
    ]
    return dict(zip(numbers, found, strict=True))


def _errors(recorded: Recorded) -> list[Mapping[str, Any]]:
    if not recorded.turns:
        return []
    return [
        one["error"]
        for one in _outcomes(range(len(recorded.turns[-1]["calls"])), recorded.turns[-1], recorded).values()
        if "error" in one
    ]


def _checked(returns: Any, value: Any) -> Any:
    """Check a result against the return annotation, if that can be checked.

    Raises:
        RunFailedError: it does not fit.
    """
    if returns is None:
        return value
    try:
        adapter = TypeAdapter(returns)
    except PydanticUserError:
        return value
    try:
        return to_jsonable_python(adapter.validate_json(canonical_json(value)))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'result'}: {one['msg']}, got {shortened(one['input'])}"
            for one in error.errors()
        )
        raise RunFailedError("invalid_result", f"the result does not fit the return annotation: {faults}") from error
