"""One world: the product's webhooks in virtual time, over a store in this process; one process may end at one point.

Invariant: a world follows from its seed, its faults and its point; its events are recorded as a story. It begins with
the state that earlier runs of its simulation have left in the store. People who decide, and systems that end
operations, are asked once, as soon as the job waits, and act through the product's own code. Must not: judge the
events.
"""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import Context, ContextVar, copy_context
from functools import partial
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS, Decider
from baton.sdk.agents.registry import Registry
from baton.sdk.records.limits import MOST_SECONDS
from baton.sdk.records.own_threads import OwnThreads
from baton.server.api.app_events import AppEventBody, accept_event
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import approvals_of
from baton.server.api.jobs.approvals import ApprovalBody, RejectionBody, approve_by, reject
from baton.server.api.jobs.submission import SubmitBody, new_job
from baton.server.api.problem import ApiError
from baton.server.app import webhook_apps
from baton.settings.settings import Settings
from baton.store.records.jobs import Snapshot
from baton.testing.container import SimulatedContainer
from baton.testing.dice import Dice
from baton.testing.ports import BASE_URL, Backend, Left
from baton.testing.process import PROCESS, Point, Process, SimulationLoop, closed_doors
from baton.testing.process_memory import Namespaces, ProcessMemory
from baton.testing.records import Approve, Attempt, Checkpoint, Decide, Operation, Outcomes, Reject
from baton.testing.virtual_clock import VirtualClock
from baton.testing.virtual_loop import Crashed
from baton.testing.virtual_thread import in_virtual_thread
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.container import Container
from baton.worker.executors.continuing import completed
from baton_events.emitter import message_to
from baton_events.ids import event_job_id, is_child, random_job_id
from baton_events.schema import SWEEP_ENDPOINT

_OPERATOR = Principal("admin", "simulation")
_T = TypeVar("_T")
# Somebody was faster, or the store has forgotten the question: nothing that the test has done.
_TOO_LATE = (404, 409)


def _plain(name: str, answer: _T) -> _T:
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{name} was not run, since it is asynchronous: give a plain function")
    return answer


class People:
    """Decides and completes, through a process of the API."""

    def __init__(
        self, api: Container, decide: Decide | None, outcomes: Outcomes | None, record: Callable[[str], None]
    ) -> None:
        self._api, self._decide, self._outcomes, self._record = api, decide, outcomes, record
        self._decided: set[str] = set()

    async def decide(self, snapshot: Snapshot) -> None:
        """Answer everything that a job waits for."""
        if self._decide is not None:
            await self._decide_on(snapshot, self._decide)
        if self._outcomes is not None:
            await self._complete(snapshot, self._outcomes)

    async def _decide_on(self, snapshot: Snapshot, decide: Decide) -> None:
        for view in approvals_of(snapshot, 0):
            if view["status"] != "pending" or not self._is_new(view["id"]):
                continue
            shown = (view["title"] or "", view["tool"] or "", view["arguments"] or {})
            decision = _plain("decide", decide(Checkpoint(view["id"], snapshot.job.id, *shown)))
            if not isinstance(decision, Approve | Reject):
                raise TypeError(
                    f"decide returned {decision!r} for {view['tool']!r}: return Approve() or Reject(reason)"
                )
            if isinstance(decision, Approve):
                # If several people must approve, each approval is another person's.
                by = f"{_OPERATOR.tenant} {len(view.get('approvals', ())) + 1}"
                body = ApprovalBody(arguments=decision.arguments)
                await self._sent(approve_by(self._api, Decider(by, is_operator=True), view["id"], body))
            else:
                await self._sent(reject(self._api, _OPERATOR, view["id"], RejectionBody(reason=decision.reason)))

    async def _sent(self, decision: Awaitable[object]) -> None:
        try:
            await decision
        except ApiError as error:
            if error.status not in _TOO_LATE:
                raise
            self._record(f"a decision is refused: {error}")

    async def _complete(self, snapshot: Snapshot, outcomes: Outcomes) -> None:
        for call in snapshot.calls:
            waits = call.status is CallStatus.WAITING and call.operation_id and call.tool not in APPROVALS
            if not waits or not self._is_new(call.operation_id):
                continue
            body = _plain(
                "outcomes", outcomes(Operation(call.operation_id, snapshot.job.id, call.tool, call.arguments))
            )
            if body is not None and not isinstance(body, Mapping):
                raise TypeError(f"outcomes returned {body!r} for {call.tool!r}: return the body of a webhook, or None")
            if body is not None:
                completion = CompletionBody.model_validate(body)
                await completed(self._api, call.operation_id, completion)

    def _is_new(self, name: str) -> bool:
        if name in self._decided:
            return False
        self._decided.add(name)
        return True


TENANT = "simulation"
_HOUR, _LONGEST_SECONDS, _MOST_DELIVERIES, _MOST_WAITS = 3600.0, MOST_SECONDS + 86_400.0, 5_000, 3
# Of the hourly sweeps after the queue's last message: they find all that is lost. Then one a week is played.
_FIRST_SWEEPS, _WEEK = 3, 168
_SUBMITTED_SECONDS = 0.001  # by then the job is there, and can be cancelled
_SETTINGS = Settings(
    worker_base_url=BASE_URL,
    qstash_token="no-token-of-a-queue",  # noqa: S106 - opens nothing; a secret, so it is no word of a user's
    operations_stream_seconds=0,
    job_retention_seconds=10 * int(_LONGEST_SECONDS),  # what a run leaves is there for the later ones
)


class Scene(Struct, frozen=True):
    """A scene to play: a task for an agent, the people who answer, the faults, and when somebody cancels the job.

    `cancel_at`, `force_at`: seconds after its submission; None: nobody does. `force_at`: without a time to clean up.
    `events`: instead of a task, each with its second.
    """

    agent: str
    task: str
    input_data: dict[str, Any]
    session: str | None
    decide: Decide | None
    outcomes: Outcomes | None
    faults: frozenset[str] = frozenset()
    cancel_at: float | None = None
    force_at: float | None = None
    events: tuple[tuple[float, AppEventBody], ...] = ()


class Work(Struct, frozen=True):
    """A tool call that runs."""

    world: "World"
    attempt: Attempt


WORK: ContextVar[Work] = ContextVar("work")


class World:
    """One run of one job."""

    def __init__(
        self,
        registry: Registry,
        memory: ProcessMemory,
        namespaces: Namespaces,
        scene: Scene,
        seed: int,
        left: Left,
        point: Point | None = None,
    ) -> None:
        self.scene, self.faults, self.dice, self._point = scene, scene.faults, Dice(seed), point
        self.loop = SimulationLoop(self._waits)
        self.clock = VirtualClock(self.loop, left.epoch_ms)
        self.registry, self._memory, self._namespaces = registry, memory, namespaces
        self.points: list[str] = []
        self.attempts: list[Attempt] = []
        self.unsure: list[str] = []
        self.story: list[tuple[float, str]] = []
        self.failed_turns = set[tuple[str, int]]()
        self.job_id, self.ended_seconds = "", 0.0
        self.events, self._ended, self._began_ms = list[str](), set[str](), left.epoch_ms
        self._raised: BaseException | None = None
        self._at_work: dict[int, tuple[Process, Attempt, list[int]]] = {}
        self._process: Process | None = None
        self._surroundings = Context()
        self._deliveries, self._died = 0, False
        self.backend = Backend(self, left, _SETTINGS)
        self._api = SimulatedContainer(_SETTINGS, self.backend.ports(), registry, self)
        self._people = People(self._api, scene.decide, scene.outcomes, self.record)

    @contextmanager
    def played(self) -> Iterator[None]:
        """Submit the job, and deliver until nothing is left to do; read its state within the block."""
        try:
            self._play()
            if self._raised is not None:
                raise self._raised
            if self.loop.refused:
                raise RuntimeError(self.loop.refused)
            yield
        finally:  # no code of dead processes has an effect any more
            if self._process is not None:
                self._process.alive = False
                self._process.container.code_runs.let_go_of_all()
            self.loop.shut_down()

    def _play(self) -> None:
        if not self.scene.events:
            self._later(0.0, lambda: self._start(self._submit()))
        for at_seconds, body in self.scene.events:
            self._later(at_seconds, partial(self._emit_later, body))
        for seconds, force in ((self.scene.cancel_at, False), (self.scene.force_at, True)):
            if seconds is not None:
                self._later(max(seconds, _SUBMITTED_SECONDS), partial(self._cancel_later, force=force))
        self._later(_HOUR, self._sweep_hourly)
        self._later(_LONGEST_SECONDS, self._give_up)
        with _without_threads(), closed_doors(self.loop):
            self._surroundings = copy_context()
            try:
                self.loop.run_until_idle()
            finally:
                self.clock.remove(self._namespaces)

    async def _submit(self) -> None:
        scene, token = self.scene, self.backend.tokens.token()
        submitted = {"jobType": scene.agent, "taskDescription": scene.task, "inputData": scene.input_data}
        body = SubmitBody.model_validate({**submitted, "sessionId": scene.session})
        names = {"job_id": random_job_id(token), "session_id": f"session_{token}", "tenant": TENANT}
        job = new_job(body, self._api, **names, now_ms=self.now_ms())
        self.job_id = job.id
        await self._api.commands.submit(job, body.task)

    def _emit_later(self, body: AppEventBody) -> None:
        self._start(self._emit(body))

    async def _emit(self, body: AppEventBody) -> None:
        # Each world's events have the same ids, and so have the calls that they are arguments of.
        key = "" if body.once_for else f"{self._began_ms} {len(self.events)}"
        event = await accept_event(self._api, body, TENANT, key)
        self.events.append(event.id)
        if not self.job_id:  # it is the one that a store forgets
            handlers = self.registry.handlers.of(body.name)
            self.job_id = next((event_job_id(event.id, handler.name) for handler in handlers), "")

    def _cancel_later(self, *, force: bool) -> None:
        self._start(self._cancel(force=force))

    async def _cancel(self, *, force: bool) -> None:
        found = await self.backend.reader.job(self.job_id)
        if found is None or found.job.ended:
            return
        self.record("somebody cancels the job" + (" by force" if force else ""))
        await self._api.commands.cancel(found.job, "the simulation", force=force)
        self.delivered()

    def now_ms(self) -> int:
        return self.clock.now_ms()

    def record(self, what: str) -> None:
        self.story.append((self.loop.seconds, what))

    def process(self) -> Process:
        """Return the process that takes the next delivery; a new one has an empty memory."""
        self._deliveries += 1
        if self._deliveries > _MOST_DELIVERIES:
            self._give_up()
        if self._process is None or not self._process.alive or self._process.container.stopping.begun:
            if self._process is not None:
                self._process.container.code_runs.let_go_of_all()
            self._memory.restore()
            self.clock.install(self._namespaces)
            container = SimulatedContainer(_SETTINGS, self.backend.ports(), self.registry, self)
            self._process = Process(container, webhook_apps(container), self._surroundings)
        return self._process

    async def point(self, what: str) -> None:
        """Let the process end here, if this is its point."""
        process = PROCESS.get(None)
        if process is not None and self._ends(process, what):
            await self.loop.create_future()  # never completed

    def _ends(self, process: Process, what: str, *, stops: bool = False) -> bool:
        if not process.alive:
            return True
        self.points.append(f"{what}{_MAY_STOP if stops else ''}")
        if self._died or self._point is None or self._point.number != len(self.points):
            return False
        self._died = True
        self.record(f"{self._point}")
        if self._point.stopped:
            process.stop()
        else:
            process.die()
        return not process.alive

    def _waits(self) -> bool:
        """End a process while its tools wait, if that is its point; time passes only afterwards."""
        for process, attempt, waits in list(self._at_work.values()):
            if not process.alive or waits[0] >= _MOST_WAITS:
                continue
            waits[0] += 1
            ended = self._died
            self._ends(process, f"while {attempt.start.tool} waits", stops=True)
            if self._died is not ended:
                return True
        return False

    def began(self, attempt: Attempt) -> None:
        """Record that a call starts."""
        WORK.set(Work(self, attempt))
        again = any(other.start.idempotency_key == attempt.start.idempotency_key for other in self.attempts)
        self.attempts.append(attempt)
        self._at_work[id(attempt)] = (PROCESS.get(), attempt, [0])
        self.record(f"{_call(attempt)} starts{' again' if again else ''}, attempt {attempt.start.attempt}")

    def ended(self, attempt: Attempt) -> None:
        """Record that a call's work is over."""
        del self._at_work[id(attempt)]
        if attempt.failure:
            self.record(f"{attempt.start.tool} fails: {attempt.failure}: {attempt.message}")

    def swallowed(self, key: str) -> None:
        """Record that a call was cancelled and continues."""
        for attempt in self.attempts:
            if attempt.start.idempotency_key == key and not attempt.swallowed:
                attempt.swallowed = True
                self.record(f"{attempt.start.tool} is cancelled, and goes on")

    def effect(self, attempt: Attempt, named: object) -> None:
        """Record an effect outside, with a point before it and one after it."""
        try:
            key = str(named)
        except Exception as error:
            self._fails_with(error)
            raise
        process, tool = PROCESS.get(), attempt.start.tool
        if self._ends(process, f"before an effect of {tool}"):
            _die()
        earlier = [other.effects for other in self.attempts if other.call == attempt.call and other is not attempt]
        is_other = any(earlier) and not any(key in effects for effects in earlier)
        attempt.effects.append(key)
        self.record(f"{tool} makes an effect under the key {key}{', which is another one' if is_other else ''}")
        if self._ends(process, f"after an effect of {tool}"):
            _die()

    def delivered(self) -> None:
        """Let people and systems outside react to the job after a delivery."""
        self._start(self._let_people_decide())

    async def _let_people_decide(self) -> None:
        for name in self.backend.redis.jobs() if self.scene.decide or self.scene.outcomes else ():
            snapshot = await self.backend.reader.job(name)
            if snapshot is not None:
                await self._people.decide(snapshot)
        names = own_jobs(self)
        jobs = await self.backend.reader.jobs([name for name in names if name not in self._ended])
        for name, one in jobs.items():
            if one.job.ended:
                self._ended.add(name)
                self.record(f"the job{f' of {one.job.agent}' if self.scene.events else ''} ends: {one.job.status}")
        is_over = all(name in self._ended for name in names)
        if is_over and not self.ended_seconds:
            self.ended_seconds = self.loop.seconds
        elif not is_over and self.ended_seconds:  # an event has started another one: sweeps are needed again
            self.ended_seconds = 0.0
            self._later(_HOUR, self._sweep_hourly)

    def _give_up(self) -> None:
        if not self.ended_seconds:
            self.record("it does not come to an end")
        self.loop.stop()

    def _sweep_hourly(self, idle_hours: int = 0, accepted: int = 0) -> None:
        """Run the hourly schedule, for as long as the job lives; most sweeps of a long wait are left out."""
        queue = self.backend.queue
        if self.ended_seconds:
            return
        idle_hours = idle_hours + 1 if queue.accepted == accepted else 0
        if idle_hours < _FIRST_SWEEPS or idle_hours % _WEEK == 0:
            queue.accept(message_to(_SETTINGS, SWEEP_ENDPOINT, ""))
        self._later(_HOUR, partial(self._sweep_hourly, idle_hours, queue.accepted))

    def _fails_with(self, error: BaseException) -> None:
        """End the world: what the test's own code raises is for the test. The first one counts."""
        self._raised = self._raised or error
        self.loop.stop()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.create_task(self._watched(work), context=Context())

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (GeneratorExit, asyncio.CancelledError):  # the world is over
            raise
        except BaseException as error:  # noqa: BLE001 - pytest.fail() raises no Exception
            self._fails_with(error)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.loop.call_later(seconds, act, context=Context())


def own_jobs(world: World) -> list[str]:
    """Return the job that is played, or those that the world's events have started, as far as they are there."""
    if not world.scene.events:
        return [world.job_id]
    return [name for name in world.backend.redis.jobs() if not is_child(name)]


@contextmanager
def _without_threads() -> Iterator[None]:
    """Let libraries run functions in virtual time that would run in threads, and so in real time."""
    library: Any = sys.modules.get("pydantic_ai")
    threads: Any = sys.modules["anyio.to_thread"]  # Starlette has it, too
    with nullcontext() if library is None else library.Agent.using_thread_executor(OwnThreads()):  # as the loop does
        before, threads.run_sync = threads.run_sync, in_virtual_thread
        try:
            yield
        finally:
            threads.run_sync = before


_MAY_STOP = "\0"


def points_of(reached: list[str]) -> list[Point]:
    """List the points of a run: each point reached, and each wait of a tool also with a stop of its process."""
    points = [Point(number, what.removesuffix(_MAY_STOP)) for number, what in enumerate(reached, 1)]
    stops = [Point(one.number, one.what, stopped=True) for one in points if reached[one.number - 1].endswith(_MAY_STOP)]
    return [*points, *stops]


def _die() -> NoReturn:
    raise Crashed("the process is dead")


def _call(attempt: Attempt) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in attempt.start.arguments.items())
    return f"{attempt.start.tool}({arguments})"
