"""Front ends of AG-UI: they read a job as a run of that protocol, go away, and come back with their last event's id.

A run names its job. Here the run's id is the job's, so that a front end reads what any client has submitted.
"""

import json
import re
from typing import TYPE_CHECKING

from baton.api.ag_ui import runs
from baton.api.ag_ui.run_form import Run, RunForm
from baton.engine.state import Job
from baton_events.ids import named_job_id
from tests.fakes import Tree
from tests.simulation.jobs import JobPlan
from tests.simulation.stream_readers import StreamReader

if TYPE_CHECKING:
    from tests.simulation.world import World

_EVENT = re.compile(r"id: \d+-(\d+\.\d+)\ndata: (.*)", re.DOTALL)
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
    form = RunForm(Run(job.session_id, job.id, _MESSAGES), job.id)
    return _read("".join(form.part(job, number, part) for number, part in enumerate(stored, 1)))


def _read(text: str) -> list[str]:
    events = (_EVENT.fullmatch(event) for event in text.split("\n\n"))
    return [f"{event[1]} {event[2]}" for event in events if event]
