"""Those who read a job's stream: they go away after a while, in the middle or not, and come back with their last id.

Front ends of AG-UI read a job as a run of that protocol. A run names its job: here its id is the job's, so that a front
end reads what any client has submitted.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from baton.engine.commit.tree import Tree
from baton.engine.state import Job
from baton.server.protocols.ag_ui import runs
from baton.server.protocols.ag_ui.runs import Run, RunStream
from baton.testing.asgi import OK
from baton.testing.dice import number_of
from baton.testing.virtual_loop import Crashed
from baton_events.ids import named_job_id
from tests.simulation import asgi
from tests.simulation.calling import SUBMIT_PATH
from tests.simulation.invocation import Invocation
from tests.simulation.jobs import JobPlan
from tests.simulation.operators import ADMIN_KEY

if TYPE_CHECKING:
    from tests.simulation.world import World

_READER = 151
_MOST_CONNECTIONS = 14
_EVENT = re.compile(r"(?:id: \d+-(\d+)\n)?data: (.*)", re.DOTALL)
_BEHIND_LAMBDA = 0.3  # of the readers: a host that hands answers over whole, so that they come back for more
_REFUSALS = (404, 503)  # not there yet, or forgotten; the store does not answer


class StreamReader:
    """Reads one stream. `parts`: what it has got; `done`: it was told that this is all."""

    def __init__(self, world: "World", plan: JobPlan, job_id: str, number: int) -> None:
        self._world = world
        self._plan = plan
        self._name = f"stream:{job_id}:{number}"
        self._wants = 0
        self._until = 0.0
        self.job_id = job_id
        self.parts: list[str] = []
        self.done = False

    async def run(self) -> None:
        for time in range(1, _MOST_CONNECTIONS + 1):
            await asyncio.sleep(3 * self._roll(time, 1) ** 3 * 1.6**time)
            await self._read(time)
            if self.done or self._world.violation:
                return

    async def _read(self, time: int) -> None:
        world, name = self._world, f"{self._name}#{time}"
        self._wants = 1 + int(self._roll(time, 2) ** 2 * 60)
        self._until = world.loop.seconds + 1 + 20 * self._roll(time, 3) ** 2
        who = Invocation(name, number_of(name), "stream", job_id=self.job_id)
        world.enroll(who)
        path, body, headers = self._request()
        headers["authorization"] = f"Bearer {ADMIN_KEY}"
        try:
            app = asgi.behind_lambda(world.app()) if self._roll(4) < _BEHIND_LAMBDA else world.app()
            status = await asgi.follow(app, path, headers, self._received, body)
        except Crashed:
            return
        if status != OK and status not in _REFUSALS:
            world.broken("an_api_answer_is_a_known_one", f"{name} is answered {status}")

    def _request(self) -> tuple[str, bytes, dict[str, str]]:
        headers = {"last-event-id": f"{self._world.epoch_ms}-{len(self.parts)}"} if self.parts else {}
        return f"{SUBMIT_PATH}/{self.job_id}/stream", b"", headers

    def all_of(self, tree: Tree) -> Sequence[str]:
        return tree.parts.get(self.job_id, ())

    def _received(self, text: str) -> bool:
        """One event; whether it wants more."""
        world, event = self._world, _EVENT.fullmatch(text.removesuffix("\n\n"))
        self._wants -= 1
        if event is None:
            return world.loop.seconds < self._until  # a heartbeat, or when to come back
        number, data = event.groups()
        if data == "[DONE]":
            self.done = True
            return False
        if not world.memory.ever_lost_writes(self.job_id):
            self._check(int(number), data)
        self.parts.append(data)
        return self._wants > 0 and world.loop.seconds < self._until

    def _check(self, number: int, data: str) -> None:
        stored = self._world.tree(self.job_id).parts.get(self.job_id, ())
        if number != len(self.parts) + 1 or number > len(stored) or stored[number - 1] != data:
            text = f"{self._name} has {len(self.parts)} parts and gets number {number}: {json.loads(data)}"
            self._world.broken("a_reader_gets_each_part_once_and_in_order", text)

    def _roll(self, *question: int) -> float:
        return self._world.dice.roll(_READER, number_of(self._name), *question)


_AG_UI_EVENT = re.compile(r"id: \d+-(\d+\.\d+)\ndata: (.*)", re.DOTALL)
_END = ": end\n\n"
_MESSAGES = [{"id": "m1", "role": "user", "content": "do it"}]


_RUNS = set[str]()


def _named_job_id(kind: str, tenant: str, session_id: str, name: str) -> str:
    """Give a front end's job; all other runs are named as ever, since tests of the product may be in this process."""
    return name if name in _RUNS else named_job_id(kind, tenant, session_id, name)


setattr(runs, "named_job_id", _named_job_id)  # noqa: B010 - who names runs is the world's


class FrontEnd(StreamReader):
    """Reads a run. `parts`: the events that it has got, each with its id."""

    def __init__(self, world: "World", plan: JobPlan, job_id: str, number: int) -> None:
        super().__init__(world, plan, job_id, number)
        self._whole, self._thread = list[str](), "unknown"
        _RUNS.add(job_id)

    def _request(self) -> tuple[str, bytes, dict[str, str]]:
        if job := self._world.tree(self.job_id).jobs.get(self.job_id):
            self._thread = job.session_id
        body = {"threadId": self._thread, "runId": self.job_id, "messages": _MESSAGES}
        seen = self.parts[-1].partition(" ")[0] if self.parts else "0.0"
        headers = {"content-type": "application/json", "last-event-id": f"{self._world.epoch_ms}-{seen}"}
        return f"/api/ag-ui/{self._plan.agent}", json.dumps(body).encode(), headers

    def _received(self, text: str) -> bool:
        if text == _END:
            self.done = True
            return False
        got = _read(text)[: self._wants]  # it may leave in the middle of what comes at once
        self._wants -= max(1, len(got))
        if not self._world.memory.ever_lost_writes(self.job_id):
            self._check_events(got)
        self.parts += got
        return self._wants > 0 and self._world.loop.seconds < self._until

    def _check_events(self, got: list[str]) -> None:
        if len(self.parts) + len(got) > len(self._whole):
            self._whole = self.all_of(self._world.tree(self.job_id))
        wanted = self._whole[len(self.parts) : len(self.parts) + len(got)]
        if got != wanted:
            text = f"{self._name} has {len(self.parts)} events and gets {got}, not {wanted}"
            self._world.broken("a_reader_gets_each_part_once_and_in_order", text)

    def all_of(self, tree: Tree) -> list[str]:
        stored, job = tree.parts.get(self.job_id, ()), tree.jobs.get(self.job_id)
        return _events(job, stored) if job else []


def _events(job: Job, stored: tuple[str, ...]) -> list[str]:
    form = RunStream(Run(job.session_id, job.id, _MESSAGES), job.id)
    return _read("".join(form.part(job, number, part) for number, part in enumerate(stored, 1)))


def _read(text: str) -> list[str]:
    events = (_AG_UI_EVENT.fullmatch(event) for event in text.split("\n\n"))
    return [f"{event[1]} {event[2]}" for event in events if event]
