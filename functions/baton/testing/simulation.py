"""Runs of an agent in one process and in virtual time, and the same run with a crash at each point.

Invariant: a run plays production's code, opens no socket and does not sleep. Each world begins with empty process
memory and the outside state that `fresh` leaves. Must not: load pytest.
"""

import inspect
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

from baton.sdk.agents.registry import Registry, check_input
from baton.sdk.agents.runner import run_messages
from baton.sdk.records.limits import is_number
from baton.server.api.app_events import AppEventBody
from baton.settings.settings import Settings
from baton.store.records.objects import job_place
from baton.testing.ports import Left
from baton.testing.process import Point
from baton.testing.process_memory import ProcessMemory, tool_namespaces
from baton.testing.records import Decide, Outcomes, Run
from baton.testing.report import Report, messages_of, names_of, together
from baton.testing.world import WORK, Scene, World, own_jobs, points_of
from baton.worker.payloads import Payloads
from baton.worker.runtime.job_view import job_view
from baton_events.ids import job_of_call, root_of

FAULTS = ("duplicates", "reorder", "forgetful_store", "slow_model", "failing_provider")
_NO_LIMIT = 1 << 62
# A world replaces the clock of modules, and runs scripts of the store: two threads would share both.
_ONE_AT_A_TIME = RLock()


class Simulation:
    """Plays jobs of a registry's agents.

    Args:
        registry: the agents.
        seed: the seed of all chance; the same seed gives the same run.
        fresh: resets the outside before each world, such as a fake bank.
    """

    def __init__(self, registry: Registry, seed: int = 0, fresh: Callable[[], object] | None = None) -> None:
        if not isinstance(registry, Registry):
            raise TypeError(f"Simulation takes a Registry, got {registry!r}: give Registry(workflows=[…]) or the like")
        self._registry, self._seed, self._fresh = registry, seed, fresh
        self._namespaces = tool_namespaces(registry)
        with _ONE_AT_A_TIME:  # what a world of another thread has replaced is no value of before
            self._memory = ProcessMemory(self._namespaces, registry)
        self._left = Left()

    async def run(  # noqa: PLR0913 - a scene has so many parts
        self,
        agent_name: str,
        task: str,
        *,
        input_data: dict[str, Any] | None = None,
        session: str | None = None,
        decide: Decide | None = None,
        outcomes: Outcomes | None = None,
        faults: Collection[str] = (),
        cancel_at: float | None = None,
        force_at: float | None = None,
    ) -> Run:
        """Run one job to its end; later runs see the session that it leaves.

        Args:
            agent_name: the job's agent.
            task: its task.
            input_data: the job's data.
            session: the conversation that it belongs to.
            decide: answers each checkpoint with `Approve()` or `Reject(reason)`.
            outcomes: returns the outcome of each operation, as its webhook takes it; None lets it time out.
            faults: of `"duplicates"`, `"reorder"`, `"forgetful_store"`, `"slow_model"`, `"failing_provider"`.
            cancel_at: when somebody cancels the job, in seconds after its submission; a workflow cleans up.
            force_at: the same by force: the job ends at once.

        Raises RuntimeError: the agent opens a socket, or starts a process.
        """
        rest = (_checked(faults), _time("cancel_at", cancel_at), _time("force_at", force_at))
        scene = Scene(agent_name, task, input_data or {}, session, decide, outcomes, *rest)
        with self._run(), self._played(scene) as world:
            world.backend.hand_over(self._left, world.ended_seconds)
            return await _outcome(world, None)

    async def crash_everywhere(  # noqa: PLR0913 - as of `run`
        self,
        agent_name: str,
        task: str,
        *,
        input_data: dict[str, Any] | None = None,
        session: str | None = None,
        decide: Decide | None = None,
        outcomes: Outcomes | None = None,
        faults: Collection[str] = (),
        cancel_at: float | None = None,
        force_at: float | None = None,
    ) -> Report:
        """Run the job once without a crash, and once for each point at which its process can end; see `run`."""
        rest = (_checked(faults), _time("cancel_at", cancel_at), _time("force_at", force_at))
        scene = Scene(agent_name, task, input_data or {}, session, decide, outcomes, *rest)
        with self._run():
            return await self._crashed(scene)

    async def _crashed(self, scene: Scene) -> Report:
        with self._played(scene) as world:
            reached, usual = world.points, await _outcome(world, None)
        with self._played(scene) as world:
            other = await _outcome(world, None)
        points, runs = points_of(reached), list[Run]()
        for point in points:
            with self._played(scene, point) as world:
                runs.append(await _outcome(world, point))
        return Report(points, usual, other, runs)

    async def emit(
        self,
        name: str,
        data: Any = None,
        *,
        key: str = "",
        once_for: str | None = None,
        again: Sequence[tuple[float, Any]] = (),
        decide: Decide | None = None,
        outcomes: Outcomes | None = None,
        faults: Collection[str] = (),
    ) -> list[Run]:
        """Emit an event, and run all jobs that it starts to their ends; later runs see what they leave.

        Args:
            name: the event's name.
            data: its data.
            key: its key.
            once_for: of events with this text one counts, within a day.
            again: further such events, each with its seconds after the first one and its data: for batches, `debounce`
                and `once_for`.
            decide: as of `run`.
            outcomes: as of `run`.
            faults: as of `run`.

        Returns:
            The runs of agents and workflows; that of a function with `@on` only where it has not completed.

        Raises:
            ApiError: the event is refused, as by the API.
            RuntimeError: as of `run`.
        """
        scene = _scene_of(name, data, key, once_for, again, decide, outcomes, faults)
        with self._run(), self._played(scene) as world:
            world.backend.hand_over(self._left, world.ended_seconds)
            functions = {handler.name for handler in self._registry.handlers if handler.function}
            runs = await _outcomes(world, None)
            return [run for run in runs if run.agent not in functions or run.status != "completed"]

    async def crash_everywhere_of(
        self,
        name: str,
        data: Any = None,
        *,
        key: str = "",
        once_for: str | None = None,
        again: Sequence[tuple[float, Any]] = (),
        decide: Decide | None = None,
        outcomes: Outcomes | None = None,
        faults: Collection[str] = (),
    ) -> Report:
        """Play the event once without a crash, and once for each point at which its process can end; see `emit`.

        A run of the report is that of all its jobs together.
        """
        scene = _scene_of(name, data, key, once_for, again, decide, outcomes, faults)
        with self._run():
            return await self._crashed(scene)

    @staticmethod
    def effect(key: str) -> None:
        """Record a tool's effect outside under this key; outside of a run this does nothing."""
        work = WORK.get(None)
        if work is not None:
            work.world.effect(work.attempt, key)

    @contextmanager
    def _run(self) -> Iterator[None]:
        """Leave alone what the caller has changed since the last run."""
        with _ONE_AT_A_TIME:
            self._memory.undo_earlier()
            try:
                yield
            finally:
                self._memory.note_left()

    @contextmanager
    def _played(self, scene: Scene, point: Point | None = None) -> Iterator[World]:
        if not scene.events:
            check_input(self._registry, scene.agent, scene.input_data)
        self._memory.restore()
        if self._fresh is not None and inspect.iscoroutine(left := self._fresh()):
            left.close()
            raise TypeError(f"fresh={self._fresh!r} was not run, since it is asynchronous: give a plain function")
        world = World(self._registry, self._memory, self._namespaces, scene, self._seed, self._left, point)
        with world.played():
            yield world


def _time(name: str, seconds: float | None) -> float | None:
    if seconds is not None and not (is_number(seconds) and seconds >= 0):
        raise ValueError(f"{name}={seconds!r}: give seconds after the job's submission")
    return seconds


def _checked(faults: Collection[str]) -> frozenset[str]:
    unknown = sorted(set(faults) - set(FAULTS))
    if isinstance(faults, str) or unknown:
        raise ValueError(f"faults={faults!r}: give a list of {', '.join(FAULTS)}")
    return frozenset(faults)


def _scene_of(
    name: str,
    data: Any,
    key: str,
    once_for: str | None,
    again: Sequence[tuple[float, Any]],
    decide: Decide | None,
    outcomes: Outcomes | None,
    faults: Collection[str],
) -> Scene:
    times = [(0.0, data), *((_time("again", seconds) or 0.0, other) for seconds, other in again)]
    named = {"name": name, "key": key, "onceFor": once_for}
    bodies = tuple((at, AppEventBody.model_validate({**named, "data": one})) for at, one in times)
    return Scene("", "", {}, None, decide, outcomes, _checked(faults), events=bodies)


async def _outcome(world: World, point: Point | None) -> Run:
    runs = await _outcomes(world, point)
    return together(runs, world.events, point, world.ended_seconds) if world.scene.events else runs[0]


async def _outcomes(world: World, point: Point | None) -> list[Run]:
    """Return the runs of the world's own jobs, in the order in which they were started."""
    jobs = (await world.backend.reader.jobs(own_jobs(world))).values()
    names = [one.job.id for one in sorted(jobs, key=lambda one: (one.job.created_at_ms, one.job.agent))]
    return [await _outcome_of(world, name, point) for name in names]


async def _outcome_of(world: World, job_id: str, point: Point | None) -> Run:
    snapshot = await world.backend.reader.job(job_id)
    assert snapshot is not None, "the job was submitted"
    results = await Payloads(world.backend.objects, Settings()).for_people(snapshot.results)
    view = job_view(snapshot, world.now_ms(), most_bytes=_NO_LIMIT, for_operator=True)
    transcript = await world.backend.reader.transcript(job_id)
    job = snapshot.job
    runner = world.registry.agent(job.agent).runner
    messages = run_messages(runner, job.first_turn, transcript, results)
    return Run(
        point=point,
        agent=job.agent,
        status=str(view["status"]),
        result=view["result"],
        error=view["error"],
        usage=view["usage"],
        calls=view["toolCalls"],
        parts=[json.loads(part) for part in (await world.backend.reader.parts(job_id, 0)).parts],
        model_messages=messages if messages is not None else messages_of(transcript, results),
        virtual_seconds=world.ended_seconds or world.loop.seconds,
        attempts=world.attempts,
        story=world.story,
        unsure=world.unsure,
        names=names_of(
            {job.id: "JOB", job.session_id: "SESSION", job_place(job.tenant, job.id): "PLACE"},
            (call for attempt in world.attempts if root_of(job_of_call(call := attempt.call)) == job.id),
        ),
    )
