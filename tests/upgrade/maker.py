"""Bringing an installation into a situation: jobs are submitted, messages delivered up to a point, processes die.

Invariant: whatever is stored and in flight afterwards was made by the product's own code.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from inspect import getdoc, iscoroutinefunction
from types import ModuleType
from typing import Any, NamedTuple

from baton.api.session_line import Sessions
from baton.engine.state import Job
from baton.engine.work_items import item_key_of
from baton.settings.settings import Settings
from baton.storage.redis.connection import RedisConnection
from baton.storage.redis.store import TreeStore
from baton_events.errors import MalformedEventError
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, parse_event
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.fakes.schedules import FakeSchedules
from tests.upgrade.in_flight import Message, callback_of
from tests.upgrade.installation import Died, Installation, Request
from tests.upgrade.saved import RawRedis

HOUR_SECONDS = 3_600


class MortalStore(TreeStore):
    """A store whose caller dies at a write, once. `deadly`: "before commit", "after create", …; `spares`: so many."""

    deadly = ""
    spares = 0

    async def close(self) -> None:
        await self._redis.close()

    def _at(self, moment: str) -> None:
        if moment == self.deadly and self.spares:
            self.spares -= 1
        elif moment == self.deadly:
            self.deadly = ""
            raise Died(moment)

    async def _mortal(self, name: str, write: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        self._at(f"before {name}")
        answer = await write(*given, **named)
        self._at(f"after {name}")
        return answer

    async def create(self, *given: Any, **named: Any) -> Any:
        return await self._mortal("create", super().create, *given, **named)

    async def commit(self, *given: Any, **named: Any) -> Any:
        return await self._mortal("commit", super().commit, *given, **named)

    async def record(self, *given: Any, **named: Any) -> Any:
        return await self._mortal("record", super().record, *given, **named)

    async def signal(self, *given: Any, **named: Any) -> Any:
        return await self._mortal("tell", super().signal, *given, **named)


class Maker:
    """Makes one situation. `then`: what people will do once all that is in flight has been delivered."""

    def __init__(self, installation: Installation, store: MortalStore, redis: RawRedis) -> None:
        self.installation, self._store, self.redis = installation, store, redis
        self.kit, self.clock, self.queue = installation.kit, installation.clock, installation.queue
        self.then: list[Request] = []

    async def submit(self, agent: str, *, key: str = "client", **fields: Any) -> str:
        body = {"jobType": agent, "taskDescription": f"do it, {agent}", "inputData": {"näme": "Ünï/code"}, **fields}
        job: dict[str, Any] = await self.request("POST", "/api/agent-jobs", body, key=key)
        return str(job.get("jobId") or job["id"])

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "client") -> Any:
        self.clock.ms += 7
        return await self.installation.request(Request(method, path, body, key))

    async def request_and_die(
        self, moment: str, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "client"
    ) -> None:
        self._store.deadly = moment
        try:
            await self.installation.status(Request(method, path, body, key))
        except Died:
            return
        raise AssertionError(f"{method} {path} did not come to {moment!r}")

    def later(self, method: str, path: str, body: dict[str, Any] | None = None, *, key: str = "client") -> None:
        self.then.append(Request(method, path, body, key))

    async def next(self) -> Message:
        message = self._due()
        self.clock.ms += 3
        assert await self.installation.deliver(message) in (200, 489, 503), message
        return message

    async def die(self, moment: str, *, spares: int = 0) -> None:
        """Deliver the message that is due first; its process dies, after it was spared so many times."""
        message = self._due()
        self.clock.ms += 3
        self._store.deadly, self._store.spares = moment, spares
        status = await self.installation.deliver(message)
        assert status == 0, f"{message} was answered {status} and did not come to {moment!r}"

    async def up_to(self, *kinds: str, after: int = 0) -> None:
        """Deliver until what is due first is an event of such a work item; so many of them are delivered, too."""
        while True:
            kind = kind_of(self._due())
            if kind in kinds and not after:
                return
            after -= kind in kinds
            await self.next()

    async def run(self, within_seconds: float = HOUR_SECONDS) -> None:
        await self.installation.run(within_seconds)

    async def chat(self, agent: str, message: str, text: str) -> None:
        """Say something in a chat, whose answer nobody reads."""
        self.clock.ms += 1_000
        container = self.installation.container
        job = Job(f"job_{message}", "chat-1", "acme", agent, self.clock.ms)
        task = {"text": text, "data": {}, "chat": {"messageId": message}}
        await Sessions(container).submit(job, task)

    def schedule_body(self, schedule_id: str) -> str:
        """What the queue sends for a schedule."""
        schedules = self.installation.container.ports.schedules
        assert isinstance(schedules, FakeSchedules)
        return schedules.known[schedule_id].body

    async def calls(self, job_id: str) -> list[dict[str, Any]]:
        job: dict[str, Any] = await self.request("GET", f"/api/agent-jobs/{job_id}")
        return list(job["toolCalls"])

    async def completion(self, job_id: str) -> str:
        (call,) = [call for call in await self.calls(job_id) if call["tool"] == "order"]
        return f"/api/operations/op_{call['id']}/complete"

    async def checkpoints(self, job_id: str) -> list[str]:
        found = (await self.request("GET", f"/api/agent-jobs/{job_id}/checkpoints"))["checkpoints"]
        return [f"/api/admin/agent-checkpoints/{one['id']}" for one in found if one["status"] == "pending"]

    async def asked(self, agent: str) -> list[str]:
        """A job has asked people: where they decide."""
        job_id = await self.submit(agent)
        await self.run()
        return await self.checkpoints(job_id)

    def drop(self, *kinds: str) -> None:
        """The queue loses messages, as nobody expects it to: a sweep must find what they would have brought."""
        for message in list(self.queue.messages.values()):
            if kind_of(message) in kinds:
                del self.queue.messages[message.id]

    def give_up(self, kind: str, status: int, answer: bytes) -> None:
        """The queue gives up the newest such message, which it could not deliver, and tells so."""
        message = [one for one in self.queue.messages.values() if kind_of(one) == kind][-1]
        del self.queue.messages[message.id]
        self.clock.ms = max(self.clock.ms, message.due_ms)
        self.queue.put(DELIVERY_FAILED_ENDPOINT, callback_of(replace(message, retried=3), status, answer))

    def _due(self) -> Message:
        message = self.queue.next()
        assert message is not None, "nothing is in flight"
        return message


class Situation(NamedTuple):
    """A situation: in a line, what it is, and how an installation comes into it."""

    about: str
    make: Callable[[Maker], Awaitable[None]]


def simply(
    about: str,
    agent: str,
    *,
    within_seconds: float = 0,
    up_to: str = "",
    after: int = 0,
    dies: str = "",
    spares: int = 0,
    **fields: Any,
) -> Situation:
    """A job is submitted, with these fields, and delivered up to there, where its process may die."""

    async def make(m: Maker) -> None:
        await m.submit(agent, **fields)
        if within_seconds:
            await m.run(within_seconds)
        if up_to:
            await m.up_to(up_to, after=after)
        if dies:
            await m.die(dies, spares=spares)

    return Situation(about, make)


def by_hand(module: ModuleType) -> dict[str, Situation]:
    """The situations that are functions of this module, by their names; their docstrings say what they are."""
    functions = {name: made for name, made in vars(module).items() if iscoroutinefunction(made) and name[0] != "_"}
    return {name: Situation(getdoc(made) or "", made) for name, made in functions.items()}


def kind_of(message: Message) -> str:
    """What a message brings: the kind of its item; of what is no item's event: the fact it tells, or its endpoint."""
    try:
        event = parse_event(message.body.encode())
    except MalformedEventError:
        return message.path.rpartition("/")[2]
    signal = json.loads(message.body)["payload"].get("fact")
    return str(signal["kind"]) if signal else item_key_of(event).partition(":")[0]


def mortal_store(process: RedisProcess, retention_ms: int) -> MortalStore:
    return MortalStore(RedisConnection(Settings(redis_url=process.url, redis_token=TOKEN)), retention_ms)
