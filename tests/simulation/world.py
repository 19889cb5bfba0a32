"""A world: the real ASGI apps of the product on simulated ports, in virtual time, with everything that a plan says.

Invariant: a world is decided by its plan and by which faults are muted; nothing else goes in. It ends when nothing is
left to happen, a day after the faults (and as long as its jobs wait) at the latest, or at the first broken invariant.
"""

import math
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from baton.engine.commit.tree import Tree
from baton.engine.work_items import item_key_of
from baton.testing import asgi
from baton.testing.dice import Dice
from baton.testing.virtual_loop import VirtualLoop
from baton.worker.container import Ports
from baton_events.schema import parse_event
from baton_local.setup.wanted import wanted_of
from tests.simulation.actors import STAGE, Actors
from tests.simulation.admission_faults import SimAdmission
from tests.simulation.all_jobs import AllJobs, StoredAdmission
from tests.simulation.approving import Deciders
from tests.simulation.blocking import Threads
from tests.simulation.call_limit_faults import CountedCalls, SimCallLimits
from tests.simulation.call_limits import SharedCalls
from tests.simulation.clients import Client
from tests.simulation.constants import BACKSTOP_SECONDS
from tests.simulation.delivery import Deliveries
from tests.simulation.endings import check_endings
from tests.simulation.excuses import Excuses
from tests.simulation.faults import Faults
from tests.simulation.faulty_ports import (
    SimArchive,
    SimListing,
    SimQueueRecords,
    SimReader,
    admission_control,
    through_wire,
)
from tests.simulation.hosted import Hosting
from tests.simulation.hosts import BASE_URL, Hosts, settings_of
from tests.simulation.instances import SimClock, SimRandomness, SimVerifier, instance_of, settle, skew_of
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.killing import Processes
from tests.simulation.listed import Ends
from tests.simulation.memory import Memory
from tests.simulation.objects import ON_OBJECTS, KeptObjects, SimObjects, never_accepted
from tests.simulation.odd import Visitor
from tests.simulation.offloading import Provider
from tests.simulation.operators import Operator
from tests.simulation.outside import Outside
from tests.simulation.plan import Plan
from tests.simulation.queue import Message, SimQueue
from tests.simulation.recovery import ON_CALM, Back
from tests.simulation.returning import Returns
from tests.simulation.starters import Program, Scheduler, SimSchedules, event_of
from tests.simulation.store_faults import SimStore
from tests.simulation.stored import StoredTrees
from tests.simulation.story import Story
from tests.simulation.stream_readers import StreamReader
from tests.simulation.wire import Wire

DAY_SECONDS = 86_400.0
EPOCH_MS = 1_800_000_000_000
# So many without faults; each second with faults may bring one more, of what they make come again.
MOST_INVOCATIONS = 5_000


@dataclass(frozen=True, slots=True)
class Broken:
    name: str
    text: str
    at: float


class World:
    epoch_ms = EPOCH_MS
    base_url = BASE_URL

    def __init__(
        self, plan: Plan, loop: VirtualLoop, muted: frozenset[str] = frozenset(), *, keeps_story: bool = False
    ) -> None:
        self.plan, self.loop, self.story = plan, loop, Story(kept=keeps_story)
        self.dice = Dice(plan.seed)
        self.faults = Faults(plan, self.dice, loop, muted)
        self.fake, self.settings = StoredTrees(sealed=plan.sealed), settings_of(plan)
        self.objects = KeptObjects()
        self.all_jobs = AllJobs(self.now_ms, self.settings, self.fake.payload_keys)
        self.admission = StoredAdmission(self.all_jobs)
        if plan.one_slot_until:
            self.admission.deploy(1)
        self.memory, self.wire, self.actors = Memory(self), Wire(self), Actors(self)
        self.hosting, self.processes, self.threads = Hosting(self), Processes(self), Threads(self)
        self.queue, self.delivery, self.outside = SimQueue(self), Deliveries(self), Outside(self)
        self.operator, self.deciders, self.provider = Operator(self), Deciders(self), Provider(self)
        self.violation: Broken | None = None
        self.committed, self.committed_at = Counter[str](), dict[str, float]()
        self.appended, self.received = Counter[tuple[str, str]](), set[tuple[str, str, int]]()
        self.excused, self.call_limits = Excuses(self), SharedCalls(self)
        self.came_back, self.list_gaps = set[str](), set[str]()
        self.notified_by_sweeps: Counter[str] = Counter()
        self.ends = Ends(lambda: self.loop.seconds, self.memory.undone_by_a_failover)
        self.accepted_jobs, self.readers = list[str](), list[StreamReader]()
        self.schedules, self.ticks = SimSchedules(), dict[str, str]()
        self.emitted, self.dead_letters = dict[str, str](), set[str]()
        self.api_calls: Counter[str] = Counter()
        self.calling, self.cancelling, self.cancelled = set[str](), set[str](), set[str]()
        self.answered: defaultdict[str, set[int]] = defaultdict(set)
        self.returns, self.back = Returns(self), Back(self)
        self.invocations, self.owners = 0, dict[str, Invocation]()
        names = [event_of(job.agent, batched=job.batch is not None) for job in plan.jobs if job.emitted]
        self.topics = {topic.name: topic.endpoints[0].url for topic in wanted_of(self.settings, names).topics}
        self.hosts = Hosts(self, self.settings, self._ports())

    def app(self) -> ASGIApp:
        who = CURRENT.get()
        who.process = self.hosts.of(instance_of(self.dice, who))
        return who.process

    def _ports(self) -> Ports:
        calls, real = SimCallLimits(self, CountedCalls(self)), self.all_jobs.ports
        return Ports(
            store=SimStore(self),
            reader=SimReader(self),
            archive=SimArchive(self),
            admission=SimAdmission(self),
            admission_control=admission_control(self),
            call_limits=lambda: calls,
            stored_bytes=through_wire(self, "stored_bytes", real.stored_bytes),
            listing=SimListing(self),
            queue=self.queue,
            queue_records=SimQueueRecords(self, SimClock(self)),
            schedules=self.schedules,
            kept_schedules=through_wire(self, "kept_schedules", real.kept_schedules),
            verifier=SimVerifier(SimClock(self)),
            clock=SimClock(self),
            randomness=SimRandomness(self),
            session_memory=real.session_memory,
            tool_statistics=real.tool_statistics,
            counters=real.counters,
            api_key_store=real.api_key_store,
            audit_log=real.audit_log,
            operation_stream=real.operation_stream,
            app_events=through_wire(self, "app_events", real.app_events),
            chats=real.chats,
            in_thread=self.threads,
            objects=SimObjects(self) if self.plan.apart else None,
        )

    def run(self) -> Broken | None:
        STAGE.world = self
        for plan in self.plan.jobs:
            self.start((Scheduler if plan.ticks else Program if plan.emitted else Client)(self, plan).run)
        if self.plan.stops:
            self.start(self.operator.run)
        self.back.watch()
        self.loop.call_at(BACKSTOP_SECONDS, self._backstop)
        self.loop.call_at(self.excused.over_at(self.plan.calm_at), lambda: self.check(ON_CALM, self))
        if self.plan.one_slot_until:
            self.loop.call_at(self.plan.one_slot_until, self.admission.deploy, self.plan.slots)
        self.loop.call_at(self.plan.calm_at + DAY_SECONDS + self.plan.waits_seconds, self.loop.stop)
        self.loop.run_until_idle()
        if self.violation is None:
            check_endings(self)
        if self.violation is None and self.plan.apart:
            self.check(ON_OBJECTS, self)
        if self.violation is None and self.plan.odd:
            self.start(Visitor(self).run)
            self.loop.run_until_idle()
        self.loop.clear()
        return self.violation

    def close(self) -> None:
        """Nobody needs it any more: without its parts, which all know it, it is gone at once, and so are they."""
        self.hosts.close()
        vars(self).clear()

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Let something run in this world: a process of its own has nothing of whoever led to it, such as its meter."""
        self.loop.create_task(self._guarded(work, arguments), context=Context())

    async def _guarded(self, work: Callable[..., Coroutine[Any, Any, None]], arguments: tuple[Any, ...]) -> None:
        try:
            await work(*arguments)
        except Exception:  # noqa: BLE001 - whatever it is, it must be seen
            self.broken("the_simulation_works", traceback.format_exc())

    def enroll(self, who: Invocation) -> None:
        settle(self.dice, who, self.plan.processes)
        who.skew_ms = skew_of(self.dice, who, self.plan.skew_ms) if self.plan.skew_ms else 0
        who.began_at = self.loop.seconds
        CURRENT.set(who)
        self.invocations += 1
        if self.invocations > MOST_INVOCATIONS * (1 + self.plan.places) + min(self.loop.seconds, self.plan.calm_at):
            self.broken("the_world_comes_to_rest", f"{self.invocations} invocations; last {who.name}")
        if self.story.kept:
            self.record(who, "begins")

    async def post(self, url: str, headers: dict[str, str], body: bytes, method: str = "POST") -> asgi.Answer:
        """One request: of the queue to a function by itself, of others to the site."""
        path = url.removeprefix(BASE_URL)
        return await asgi.request(self.app(), path, headers, body, method)

    def returned(self, who: Invocation, answer: asgi.Answer | None) -> None:
        who.over = True
        if who.dead:
            self.hosts.lose(who.process)
        if self.story.kept:
            self.record(who, f"ends: {answer.status} {answer.body.decode()}" if answer else "is dead")
        if answer is not None and answer.status == 500:
            self.broken("no_internal_error", f"{who.name} is answered {answer.body.decode()}")
        if answer is not None and answer.status == 503 and not who.faulty and self._stays(who):
            self.broken("what_is_refused_met_a_fault", f"{who.name} is answered {answer.body.decode()}")
        if answer is not None and answer.status < 300 and self._unknown(who):
            self.broken("an_unknown_job_is_not_acknowledged", f"{who.name} is answered {answer.body.decode()}")
        if answer is not None:
            self.hosting.answered(who, answer)
            self.threads.answered(who.process)
        if answer is not None and who.dead:
            self.broken("a_crash_ends_an_invocation", f"{who.name} crashed and answered {answer.status}")
        if who.owes and who.limit_seconds and not (who.billed or who.faulty or who.dead or who.bill_forgotten):
            self.broken("a_delivery_is_billed_once", f"no job has paid for {who.name}")

    def _unknown(self, who: Invocation) -> bool:
        """Whether it is about a job that was not there: a backup may still create it. A callback is the queue's."""
        tree = self.tree(who.job_id) if who.job_id and who.job_id not in self.schedules.messages else None
        gone = tree is not None and not tree.jobs and tree.tombstone is None and not never_accepted(self, who.job_id)
        return gone and who.kind != "callback" and not self.memory.lost_writes(who.job_id, who.began_at)

    def _stays(self, who: Invocation) -> bool:
        """Whether its job was there all the time, and not at work on what is brought; else it is refused for that."""
        there = who.kind != "answer" and self.ends.created.get(who.job_id, math.inf) <= who.began_at
        return there and bool(self.tree(who.job_id).jobs) and not self.memory.lost_writes(who.job_id)

    def accepted(self, message: Message) -> None:
        if self.story.kept:
            self.note(f"{message.id} is {message.name} for {about(message)}, due at {message.due_at:.3f}")
        self.delivery.schedule(message)

    def check(self, invariants: Iterable[Any], subject: Any) -> None:
        for invariant in invariants:
            text = invariant(subject)
            if text is not None:
                self.broken(invariant.__name__, text)

    def broken(self, name: str, text: str) -> None:
        """An invariant does not hold: the first one stops the world."""
        if self.violation is None:
            self.violation = Broken(name, text, self.loop.seconds)
            self.note(f"BROKEN {name}: {text}")
            self.loop.stop()

    def now_ms(self) -> int:
        return EPOCH_MS + int(self.loop.seconds * 1000)

    def record(self, who: Invocation, what: str) -> None:
        self.story.record(self.loop.seconds, who.name, what)

    def note(self, what: str) -> None:
        self.story.record(self.loop.seconds, "-", what)

    @property
    def trees(self) -> dict[str, Tree]:
        return self.fake.trees

    def tree(self, job_id: str) -> Tree:
        return self.fake.tree(job_id)

    def trees_of(self, message: Message) -> tuple[Tree, ...]:
        """What a message may carry work items of: its job's tag; all of them, if it is a sweep."""
        return (self.tree(self.job_of(message)),) if message.job_id else tuple(self.trees.values())

    def job_of(self, message: Message) -> str:
        """The job that a message is about: that of a schedule, the one that it starts."""
        return self.ticks.get((message.source or message).id, message.job_id)

    def _backstop(self) -> None:
        if self.plan.backstop and (self.admission.entries or self.queue.dead):
            for schedule in wanted_of(self.settings).schedules:
                self.queue.accept(schedule.message)
        # A wait may last for weeks: in a world that has been calm for a day nobody needs an hourly sweep.
        calm = self.loop.seconds > self.plan.calm_at + DAY_SECONDS
        self.loop.call_later(DAY_SECONDS if calm else BACKSTOP_SECONDS, self._backstop)


def about(message: Message) -> str:
    if message.source is not None or not message.event_id or message.kind in ("event", "letter"):
        return message.job_id or "every job"
    return item_key_of(parse_event(message.outgoing.body.encode()))
