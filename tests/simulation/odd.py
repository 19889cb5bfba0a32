"""Odd values in a world: calls and turns that end in what cannot be written, rude clients, and what must hold then.

Invariant: how such a call or turn must end is known beforehand (odd_values.py). All others of the world must notice
nothing, which the usual invariants say. ON_ODD_START: when a tool starts; `Rude` and `Visitor` speak for themselves.
"""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from baton.engine.work_items import ItemKind
from baton.testing.dice import Dice
from baton_events.values.waits import LONGEST_WAIT_SECONDS
from tests.simulation.calling import SUBMIT_PATH, Caller, key_of
from tests.simulation.jobs import JobPlan, with_calls, with_scripts
from tests.simulation.odd_values import ODD_CALLS, ODD_TURNS, SENT
from tests.simulation.scripts import ALL_KINDS, ODD_TOOL, TOOLS, WAITING_TOOLS, CallPlan, Script
from tests.simulation.starting import Start
from tests.simulation.watching import of

if TYPE_CHECKING:
    from tests.simulation.invariants import Write
    from tests.simulation.world import World

_CALL, _TURN = 231, 232
_SPARED = ("unknown", "bad", "kill")
_SENDERS, _ERROR_CHARS = 5, 4_000
_TRIED = (ItemKind.CALL, ItemKind.LOOP)
_NAN, _HUGE = float("nan"), float("inf")


def with_odd_values(dice: Dice, jobs: tuple[JobPlan, ...]) -> tuple[JobPlan, ...]:
    """The same jobs, with odd calls and turns, which somebody looks at while they go on."""
    return tuple(replace(_odd(dice, job), checks=(*job.checks, 5.0, 300.0)) for job in jobs)


def _odd(dice: Dice, job: JobPlan) -> JobPlan:
    def call(plain: CallPlan, script: int, turn: int, position: int) -> CallPlan:
        about, kinds = (_CALL, job.index, script, turn, position), tuple(ODD_CALLS)
        if plain.tool not in (*TOOLS, *WAITING_TOOLS) or plain.how in _SPARED or dice.chance(0.3, *about):
            return plain
        if plain.tool in TOOLS and dice.chance(0.3, *about, 1):
            return replace(plain, tool=ODD_TOOL, how="ok", times=0, seconds=min(plain.seconds, 20.0))
        how = dice.one_of(kinds, *about, 2)
        most = min(ALL_KINDS[plain.tool].retries + 1, ODD_CALLS[how].most)
        return replace(plain, how=how, times=dice.whole(1, most, *about, 3) if ODD_CALLS[how].again else 0)

    def script(plain: Script, number: int) -> Script:
        turns = tuple(
            replace(turn, how=dice.one_of(tuple(ODD_TURNS), _TURN, job.index, number, at), fails=turn.fails or at % 2)
            if turn.how not in _SPARED
            else turn
            for at, turn in enumerate(plain.turns)
        )
        return replace(plain, turns=turns)

    return with_scripts(with_calls(job, call), script)


# When a tool starts, or a model is asked.


def a_call_starts_seldom(start: Start) -> str | None:
    """At most `retries + 2` times, whatever it raises or returns, and as often again for each time that it runs again.

    A start whose process met the store's failure, or a failover, says nothing about the tool.
    """
    world, runs = start.world, start.world.actors.runs.get(start.context.call_id, ())
    if not world.plan.odd:
        return None
    before = [run for run in runs if (run.of, run.look) == (start.run.of, start.run.look) and not run.given_back]
    before = [run for run in before if run.who.dead or not (run.who.faulty or run.who.stalled or run.who.zombie)]
    if len(before) < ALL_KINDS[start.tool].retries + 2 or world.memory.struck(start.context.job_id):
        return None
    return f"{start.context.call_id} starts for the {len(before) + 1}th time"


def a_tool_gets_what_its_model_sent(start: Start) -> str | None:
    """To the digit, and of the same types."""
    if start.tool != ODD_TOOL:
        return None
    number = start.arguments["number"]
    sent, gets = SENT[number % len(SENT)]
    got = start.arguments["value"]
    return None if repr(got) == repr(gets) else f"{start.tool} {number} gets {got!r} of {sent!r}"


def a_retry_comes_within_an_hour(write: "Write") -> str | None:
    """Whatever wait a tool, a model or a server names; a call that runs again as the same attempt says when itself."""
    if not write.world.plan.odd:
        return None
    latest_ms = write.world.now_ms() + write.world.plan.skew_ms + int(1000 * LONGEST_WAIT_SECONDS)
    for key, item in write.after.items.items():
        if key in write.before.items or item.kind not in _TRIED or item.attempt == 1 or item.offloaded:
            continue
        if item.not_before_ms > latest_ms:
            return f"{key} is tried again at {item.not_before_ms}, more than an hour from {write.world.now_ms()}"
    return None


def what_is_kept_of_an_error_is_short(write: "Write") -> str | None:
    for job_id, calls in write.after.calls.items():
        for call in calls.values() if calls is not write.before.calls.get(job_id) else ():
            if call.error and max(len(call.error.message), len(call.error.traceback)) > _ERROR_CHARS:
                return f"{call.id} keeps {len(call.error.message)} characters of its error"
    return None


ON_ODD_WRITE = (of("items", a_retry_comes_within_an_hour), of("calls", what_is_kept_of_an_error_is_short))
ON_ODD_START = (a_call_starts_seldom, a_tool_gets_what_its_model_sent)


class Paid:
    """How often the models of one world were asked, by job, run and turn."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._times = Counter[tuple[str, int, int]]()

    def asked(self, job_id: str, turn: int, retries: int) -> None:
        """A model is asked: at most `model_retries + 2` times for a turn, but for what a failover makes unknown."""
        job = self._world.tree(job_id).jobs.get(job_id)
        about = (job_id, job.run if job else 1, turn)
        self._times[about] += 1
        if self._world.plan.odd and self._times[about] > retries + 2 and not self._world.memory.struck(job_id):
            self._world.broken("a_turn_is_paid_seldom", f"turn {turn} of {job_id} is asked {self._times[about]} times")


# Who calls from outside.


def _deep() -> Any:
    value: Any = 1
    for _ in range(300):
        value = {"a": value}
    return value


_JOB = {"jobType": "agent-0", "taskDescription": "do it"}
_DATA: tuple[Any, ...] = (_NAN, _HUGE, _deep())
_WAITS: tuple[Any, ...] = (_NAN, _HUGE, 3e9, -1, "soon")
_NAMES: tuple[Any, ...] = ("", None, 1, [], {"a": 1}, "x" * 10_000)
_ACTIONS: tuple[Any, ...] = ([], None, _deep(), *({"action": action} for action in ("\ud800", _NAN)))
_BYTES = (b"\xff", b'{"a":', b'{"name":"paid","data":{"a":1e999}}', b'{"name":"paid","data":{"a":%s}}' % (b"1" * 5_000))
_REFUSED_BODIES: tuple[tuple[str, str, Any], ...] = (
    *(("POST", "", {**_JOB, "inputData": {"a": data}}) for data in _DATA),
    *(("POST", "", {**_JOB, "delaySeconds": wait}) for wait in _WAITS),
    *(("POST", "", {**_JOB, "jobType": name}) for name in ("\ud800", *_NAMES)),
    ("POST", "", {**_JOB, "taskDescription": "x" * 1_100_000}),
    *(("POST", "/{job}/events", {"name": "paid", "data": {"a": data}}) for data in _DATA),
    *(("POST", "/{job}/events", {"name": name, "data": {}}) for name in _NAMES),
    *(("POST", "/{job}/events", body) for body in _BYTES),
    *(("PATCH", "/{job}", body) for body in (*_ACTIONS, *_BYTES)),
    *(("GET", "/%FF%00", None), ("DELETE", "/job_\ufffd%ED%A0%80", None)),
)


class Rude:
    """Somebody who sends what cannot be taken: it is refused as theirs, and nothing comes of it."""

    def __init__(self, world: "World", plan: JobPlan, job_id: str) -> None:
        self._world, self._plan, self._job_id = world, plan, job_id

    async def run(self) -> None:
        caller = Caller(self._world, f"{self._plan.agent}/rude", self._job_id)
        for method, path, body in _REFUSED_BODIES[self._plan.index % _SENDERS :: _SENDERS]:
            await asyncio.sleep(1.0)
            url = SUBMIT_PATH + path.format(job=self._job_id)
            answer = await caller.request("rude", method, url, body, key_of(self._plan.tenant))
            if answer is not None and not 400 <= answer.status < 500 and not (answer.status == 503 and caller.faulty):
                text = f"{method} {url} {str(body)[:100]}: {answer.status} {answer.body[:200]!r}"
                self._world.broken("what_cannot_be_taken_is_refused", text)


class Visitor:
    """Somebody who comes when all is over: lists, reads, cancels and deletes every job, whatever its rows hold."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def run(self) -> None:
        world = self._world
        ended = [job for tree in world.trees.values() for job in tree.jobs.values() if job.ended]
        for tenant in sorted({job.tenant for job in ended}):
            await self._is_answered(tenant, "GET", "", 200)
        for job in sorted(ended, key=lambda job: job.id, reverse=True):  # those below others first
            for path in ("", "/stream", "/checkpoints"):
                await self._is_answered(job.tenant, "GET", f"/{job.id}{path}", 200)
            await self._is_answered(job.tenant, "GET", f"/{job.id}/recording", 200, 409)
            await self._is_answered(job.tenant, "PATCH", f"/{job.id}", 200, 409, body={"action": "cancel"})
        for job in ended:
            world.returns.deleting.add(job.id)
            await self._is_answered(job.tenant, "DELETE", f"/{job.id}", 204, 404, 409, 410)
        world.loop.stop()

    async def _is_answered(self, tenant: str, method: str, path: str, *known: int, body: Any = None) -> None:
        caller = Caller(self._world, f"visitor{method}{path}", "visitor")
        answer = await caller.request("visit", method, SUBMIT_PATH + path, body, key_of(tenant))
        if answer is None or answer.status not in known:
            self._world.broken("every_job_can_be_read_and_deleted", f"{method} {path}: {answer}"[:500])
