"""The connection of one process to the simulated store: what its `Store` uses of `RedisConnection`, over the wire.

Invariant: each call is one request, applied at one moment; a fault may fall between the reads and the write of one
operation. What befalls a request befalls all whose transitions wait for it: a process makes those of one tree one after
the other.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace
from upstash_redis.errors import UpstashError

from baton.engine.commit.answers import Claim
from baton.engine.commit.draft import Draft
from baton.engine.commit.patch import Stamps
from baton.engine.work_items import ItemKind
from baton.store.redis.connection import RedisConnection
from baton.store.redis.tree.attempt import Transition
from baton.store.redis.tree.transactions import Transactions
from baton.store.redis.tree.usual import UsualStep
from baton.store.redis.tree.writes import Kept
from baton.store.transport.meter import charge
from baton.store.transport.redis_rest import answer_bytes, command_bytes
from baton_events.errors import StoreError
from tests.contract.store.usual_twin import Twins, compared
from tests.simulation.actors import STAGE
from tests.simulation.invocation import CURRENT, Invocation
from tests.simulation.planting import steps_are_usual
from tests.simulation.real_server import what_differs
from tests.simulation.store_writes import Made, running_as, show_writes
from tests.simulation.usual_steps import ON_USUAL
from tests.simulation.watching import Op

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")
_Command = Sequence[str | int]
# Calls that are seldom made: see faults.py.
_RARE = frozenset[Op]({"record", "signal", "undelivered"})
_TALKER = "talker"


@dataclass(slots=True, eq=False)
class Requested:
    """An operation that somebody asks of the store.

    `gives_slot`: it takes in that there is a slot. `sequence`: of what is appended. `was_written`: it was, whatever its
    answer. `over`: nobody waits for it any more.
    """

    who: Invocation
    op: Op
    claim: Claim | None = None
    group: str = "store"
    gives_slot: bool = False
    sequence: int = 0
    was_written: bool = False
    over: bool = False


REQUESTED: ContextVar[Requested] = ContextVar("asked")


@dataclass(slots=True, eq=False)
class _Tag:
    """What goes on about one tree in this process."""

    requested: list[Requested] = field(default_factory=list[Requested])
    made: list[Made] = field(default_factory=list[Made])
    fault: str = ""

    def watched(self, requested: Requested, transition: Transition) -> Transition:
        def make(draft: Draft) -> Any:
            before = draft.as_it_is()
            with running_as(requested.who):
                answer = transition.make(draft)
            self.made.append(Made(requested, before, draft.as_it_is(), answer))
            return answer

        def show(_: UsualStep, twins: Twins) -> None:
            STAGE.world.check(ON_USUAL, twins)
            before, step = twins.snapshot.tree, twins.step
            self.made.append(Made(requested, before, step.after().tree, step.committed()))

        usual = transition.usual if steps_are_usual() else None
        return replace(compared(replace(transition, usual=usual), show), make=make)

    def to_write(self) -> list[Made]:
        """What is about to be written, in its order; what was answered without a request is none of it."""
        made, self.made = self.made, []
        return [each for each in made if each.changes or not each.requested.over]

    def strike(self, fault: str) -> None:
        """A fault meets a request for which all of these wait."""
        self.fault, leader = fault, CURRENT.get()
        for each in self.requested:
            if each.who is not leader:  # what becomes of that one, the wire says
                self.hold_up(each)

    def hold_up(self, requested: Requested) -> None:
        requested.who.faulty = requested.who.stalled = True


class SimConnection(RedisConnection):
    """`RedisConnection` to the keys of a world."""

    def __init__(self, world: "World") -> None:
        self._world, self._tags = world, dict[str, _Tag]()
        world.fake.processes += 1
        self.sealing, self.held = world.fake.sealing(), []
        self.name = f"{world.fake.processes:016x}"  # of its process, in every stamp: the same in each play

    @contextmanager
    def requesting(self, root: str, requested: Requested) -> Iterator[_Tag]:
        """For the time of the block somebody waits for a transition of this tree."""
        tag = self._tags.setdefault(root, _Tag())
        tag.requested.append(requested)
        if tag.fault:
            tag.hold_up(requested)
        try:
            yield tag
        finally:
            requested.over = True
            tag.requested.remove(requested)
            if not tag.requested:
                self._tags.pop(root, None)

    async def pipeline(self, *commands: _Command) -> list[Any]:
        return await self.read(*commands)

    async def read(self, *commands: _Command) -> list[Any]:
        root = root_of_key(str(commands[0][1]))

        def read() -> list[Any]:
            answers = [self._run(root, *map(str, command)) for command in commands]
            self._world.memory.strike(root)
            return answers

        if root in self._tags:
            self._tags[root].made.clear()  # what was made is made anew, of what is read now
        answers = await self._request("store.read", root, read)
        size_bytes = sum(map(command_bytes, commands)) + answer_bytes(answers)
        charge(requests=1, commands=len(commands), size_bytes=size_bytes)
        return answers

    def _run(self, root: str, name: str, key: str, *arguments: str) -> Any:
        """One command alone: it reads the tag, or adds to a sum that is nobody's."""
        if name == "HINCRBY":
            return self._world.all_jobs.redis.run(name, key, *arguments)
        return self._world.fake.keys(root).run(name, key, *arguments)

    async def apply(
        self, keys: Sequence[str], args: Sequence[str], beside: Sequence[_Command] = ()
    ) -> tuple[int, int, list[Any]]:
        """Compare, then write: as the script does."""
        root, late = root_of_key(keys[0]), list[bool]()
        made, arguments = self._tags[root].to_write() if root in self._tags else [], list(args)
        act = partial(self._applied, root, (list(keys), arguments), beside, made, late)
        try:
            commands, written, found = await self._request("store.apply", root, act)
        finally:
            late.append(True)
        return commands, written, found

    def _applied(
        self,
        root: str,
        request: tuple[list[str], list[str]],
        beside: Sequence[_Command],
        made: list[Made],
        late: list[bool],
    ) -> list[Any]:
        world = self._world
        before = world.fake.keys(root)
        kept = before.copy()
        try:
            answer = kept.apply(*request)
        except UpstashError as error:  # what the script had written by then stays
            world.fake.wrote(root, kept)
            raise StoreError(f"the script failed: {error}") from error
        if world.plan.on_server:
            answer, difference = what_differs(before, request, answer, kept)
            if difference:
                world.broken("the_script_does_what_its_twin_does", difference)
        for command in beside:
            self._run(root, *map(str, command))
        if late:  # its senders have heard that it failed, or were answered long ago
            for each in made:
                each.requested.who.zombie = True
        if answer[1] and any(each.changes for each in made):
            show_writes(world, root, kept, made)
        world.memory.strike(root)
        return answer

    async def _request(self, point: str, root: str, act: Callable[[], _T]) -> _T:
        """One request of whoever leads those who wait."""
        world, requested = self._world, REQUESTED.get()
        tags = (tag for tag in self._tags.values() if requested in tag.requested)
        tag = next(tags, None) or _Tag()  # else it is a read that nobody waits for
        try:
            return await world.wire.request(
                point,
                self._group(root, tag, requested),
                "store",
                act,
                StoreError,
                tag.strike,
                rare=requested.op in _RARE,
                beside=requested.op == "renew",
            )
        finally:
            tag.fault = ""

    def _group(self, root: str, tag: _Tag, requested: Requested) -> str:
        """Which faults may meet it: none that takes long where somebody talks, whose words would wait for it."""
        groups = {each.group for each in tag.requested} | {requested.group} | self._talking(root)
        for group in ("store-in-work", "store-in-talk"):
            if group in groups:
                return group
        return requested.group

    def _talking(self, root: str) -> set[str]:
        """Who may say something now in this process: about the same tree, so that it would wait."""
        world, process = self._world, CURRENT.get().process
        groups = set[str]()
        for item in world.fake.tree(root).items.values():
            text_streams = item.kind is ItemKind.CALL and item.tool == _TALKER
            if not item.owner or not (text_streams or (world.plan.streams and item.kind is ItemKind.LOOP)):
                continue
            who = world.owners.get(item.owner.partition(".")[0])
            if who is not None and who.process is process and not who.over and not who.dead:
                groups.add("store-in-work" if text_streams else "store-in-talk")
        return groups


class WatchedTransactions(Transactions):
    """The transitions of one process; what they make is shown to its connection."""

    def __init__(self, connection: SimConnection, kept: Kept, most_bytes: int, known_chars: int) -> None:
        super().__init__(connection, kept, most_bytes, known_chars)
        self._connection, self._stamps = connection, Stamps(lambda: connection.name)

    async def run(self, root_id: str, transition: Transition) -> Any:
        requested = REQUESTED.get()
        with self._connection.requesting(root_id, requested) as tag:
            return await super().run(root_id, tag.watched(requested, transition))


def root_of_key(key: str) -> str:
    return key[key.index("{") + 1 : key.index("}")]
