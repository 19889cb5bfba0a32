"""Runs that stay open from piece to piece of one invocation, as long as the record ends with what they have written.

A run is entered and left in a task of its own, since what it enters demands that; its nodes run in the pieces' tasks.
Invariant: a run goes on only from a record that equals what it returned last. Else it is closed, and opened from the
record. Must not: decide what a piece is.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context, ContextVar, Token, copy_context
from typing import Any, Self

import pydantic_ai as ai

from baton.sdk.agents.runner import OPEN_RUNS, CallReturned, OpenRun, Recorded, RunnerCall
from baton.sdk.libraries.held_states import stored_calls
from baton.sdk.pydantic_ai.run_objects import RunObjects
from baton.sdk.pydantic_ai.run_state import Run, RunState
from baton.sdk.pydantic_ai.stopping import Piece

_MOST = 8
_UNSET = object()


class HeldRun(OpenRun):
    """One run that is open.

    Attributes:
        state: what is recorded of it.
        objects: those of the run.
        answers: the answer whose calls are made now; empty: none.
        piece: what the run adds to the agent.
        node: its next node; None: it does not go on.
    """

    run: Run

    def __init__(self, state: RunState, objects: RunObjects, answers: list[ai.ModelResponse], piece: Piece) -> None:
        self.state, self.objects, self.answers, self.piece, self.node = state, objects, answers, piece, None
        self._scope: list[tuple[ContextVar[Any], Any]] = []
        self._tokens: list[tuple[ContextVar[Any], Token[Any]]] = []
        self._provider: Any = None
        self._returned: dict[str, Any] | None = None
        self._turns = 0

    async def enter(self, opening: AbstractAsyncContextManager[Run]) -> Self:
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        entered: asyncio.Future[None] = loop.create_future()
        self._task = asyncio.create_task(self._hold(opening, entered, copy_context()))
        try:
            await asyncio.wait({self._task, entered}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._cancel()
            raise
        if not entered.done():
            await self._task
        return self

    async def close(self, error: Exception | None = None) -> None:
        """Leave the run, with the error of a piece if there is one: its hooks run in the context of the caller.

        Raises Exception: the error, unless a hook has recovered the run, or an error of its own.
        """
        if not self._over.done():
            self._over.set_result((error, copy_context()))
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            await self._cancel()
            raise

    async def __aenter__(self) -> Self:
        """Set the context variables that the run's hooks have set."""
        self._tokens = [(variable, variable.set(value)) for variable, value in self._scope]
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        """Close the run if the piece has failed; True: a hook has recovered it."""
        try:
            if isinstance(error, Exception):
                await self.close(error)
                return True
            if error is not None:
                await self._cancel()
            return False
        finally:
            for variable, token in reversed(self._tokens):
                variable.reset(token)

    def stay_open(self, job_id: str, node: Any, provider: Any, turns: int) -> bool:
        """Stay open for the next piece of this invocation, if it may; `turns`: how many the record has then."""
        kept = OPEN_RUNS.get(None)
        ctx = self.run.ctx
        run_on = kept is not None and len(kept) < _MOST and not ctx.state.pending_messages
        if kept is None or not run_on or not self.objects.has(ctx.deps.tool_manager.toolset):
            return False
        self.node, self._provider, self._returned, self._turns = node, provider, None, turns
        kept[job_id] = self
        return True

    def stay_open_after(self, job_id: str, node: Any, returned: CallReturned) -> bool:
        if not self.stay_open(job_id, node, self._provider, self._turns):
            return False
        self._returned = {"ok": returned.value, "kept": returned.kept}
        return True

    def goes_on(self, recorded: Recorded, call: RunnerCall | None = None) -> bool:
        """Return whether the record ends with what this run has written, and take that as recorded."""
        last = recorded.turns[-1] if recorded.turns else {}
        if self._task.done() or len(recorded.turns) != self._turns or last.get("provider") != self._provider:
            return False
        state, made = self.state, self._returned
        if made is None:
            state.take_turn(last)
        if call is not None:
            part = state.response.tool_calls[0] if state.ids else None
            fits = part is not None and part.args_as_dict() == call.arguments and part.tool_call_id == state.ids[0]
            return made is None and fits and not call.approved and call.position == 0 and call.turn == last["turn"]
        if state.ids and (made is None or stored_calls(last, recorded.results)[0][1] != made):
            return False
        state.take_results(last, recorded.results)
        return not any(turn >= state.requested_turn for turn, _ in recorded.messages)

    async def _hold(
        self, opening: AbstractAsyncContextManager[Run], entered: asyncio.Future[None], before: Context
    ) -> None:
        async with opening as self.run:
            self._scope = [
                (var, value) for var, value in copy_context().items() if before.get(var, _UNSET) is not value
            ]
            entered.set_result(None)
            error, context = await self._over
            for variable, value in context.items():
                if variable.get(_UNSET) is not value:
                    variable.set(value)
            if error is not None:
                raise error

    async def _cancel(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


async def held_run(recorded: Recorded, call: RunnerCall | None = None) -> HeldRun | None:
    """Take the open run of a job if it goes on from the record; else close it."""
    held = OPEN_RUNS.get({}).pop(recorded.job.job_id, None)
    if not isinstance(held, HeldRun):
        return None
    if held.goes_on(recorded, call):
        return held
    with suppress(Exception):  # hooks of a run that is not over: what they raise is no result of it
        await held.close()
    return None


def as_it_began(run: Run, state: RunState) -> None:
    """Give a run that goes on the prompt and the messages of the piece that began it."""
    if state.messages:
        run.ctx.deps.prompt = state.prompt
        for message in run.ctx.state.message_history[len(state.earlier) :]:
            message.run_id = state.run_id


def count_all_as_new(run: Run) -> None:
    """Count all messages of a run as new ones: one that goes on here is not resumed."""
    ids_of_run = [message.run_id for message in run.all_messages()]
    run.ctx.deps.new_message_index = [*ids_of_run, run.run_id].index(run.run_id)
