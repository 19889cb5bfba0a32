"""A call's stream: its progress, its questions, and at last its answer, as messages of JSON-RPC.

In revision 2025-11-25 a question is a request on the stream, and its answer comes with another request, to any
process. In 2026-07-28 a question ends the call, which comes again with the answer. Invariant: a decision that is
recorded is never asked for again, also where a stream is read from its beginning.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from baton.engine.state import Job
from baton.sdk.records.stream_part import StreamPart
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.stream_form import HEADERS
from baton.server.protocols.mcp.body import Call
from baton.server.protocols.mcp.task_view import question_of
from baton_events.ids import canonical_json

Part = dict[str, Any]
# Makes the last message: of an ended job, of one that waits for people, or of one that continues (`asked` empty).
Answering = Callable[[Job, Sequence[Part]], Part]


class CallForm:
    """`Form` of a call. `answer` makes the last message; `decided`: the ids of decided questions."""

    headers: ClassVar[Mapping[str, str]] = HEADERS
    over = False

    def __init__(self, call: Call, job: Job, answer: Answering, decided: frozenset[str]) -> None:
        self._call, self._job, self._answer = call, job, answer
        self._token = call.meta.get("progressToken")
        self._decided, self._asked = decided, set[str]()
        self._calls, self._steps = OpenCalls(), 0

    @property
    def waits_for_people(self) -> bool:
        """Whether nothing happens until a person decides."""
        return self._calls.only_people_are_awaited

    def part(self, job: Job, number: int, part: str) -> str:  # noqa: ARG002 - as Form has it
        """Return the messages of one part."""
        if self.over:
            return ""
        read: StreamPart = json.loads(part)
        self._calls.take(read)
        self._calls.decided(self._decided)
        messages = self._progress(read)
        if read["type"] == "finish" and job.ended:
            messages.append(self._last(job))
        elif self._call.modern and self.waits_for_people:
            messages.append(self._last(job, list(self._calls.questions.values())))
        elif not self._call.modern:
            messages += self._questions(job)
        return "".join(f"event: message\ndata: {canonical_json(message)}\n\n" for message in messages)

    def ending(self, job: Job) -> str:
        """Return the answer, where no part has had it."""
        return "" if self.over else f"event: message\ndata: {canonical_json(self._last(job))}\n\n"

    def closing(self) -> str:
        """Return the answer of a stream that ends before the job."""
        return self.ending(self._job)

    def _last(self, job: Job, asked: Sequence[Part] = ()) -> Part:
        self.over = True
        return self._answer(job, asked)

    def _progress(self, part: StreamPart) -> list[Part]:
        if self._token is None or part["type"] not in ("start-step", "data-progress"):
            return []
        self._steps += 1
        text = part["data"]["text"] if part["type"] == "data-progress" else ""
        params = {"progressToken": self._token, "progress": self._steps} | ({"message": text} if text else {})
        return [{"jsonrpc": "2.0", "method": "notifications/progress", "params": params}]

    def _questions(self, job: Job) -> list[Part]:
        new = {name: view for name, view in self._calls.questions.items() if name not in self._asked}
        self._asked |= new.keys()
        meta = {"io.modelcontextprotocol/related-task": {"taskId": job.id}}
        return [
            {
                "jsonrpc": "2.0",
                "id": name,
                "method": "elicitation/create",
                "params": question_of(view) | {"_meta": meta},
            }
            for name, view in new.items()
        ]
