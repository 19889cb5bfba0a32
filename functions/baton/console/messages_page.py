"""The queue's messages: what became of each, and sending one or many once more."""

import asyncio
from dataclasses import dataclass

from starlette.responses import Response

from baton.api.messages import message_and_log
from baton.api.problem import ApiError
from baton.console.form import field
from baton.console.gate import Visit
from baton.console.message_kind import kind_of
from baton.ports import LogEntry, QueueRecords
from baton.recovery.replaying import SENDABLE, Looked, MessageState, Replaying

STATES = ("CREATED", "ACTIVE", "RETRY", "ERROR", "DELIVERED", "FAILED", "CANCELED")
_ENTRIES, _MOST_TICKED, _AT_ONCE = 120, 100, 8
_SAID = {
    MessageState.DUE: "was sent again",
    MessageState.TOLD: "was sent again: a repeated signal changes nothing",
    MessageState.OURS: "was sent again",
    MessageState.APPLIED: "was applied already: its step is over, so nothing was sent",
    MessageState.ENDED: "was applied already: its job has ended, so nothing was sent",
    MessageState.UNKNOWN: "is about a job that no longer exists, so nothing was sent",
    MessageState.FOREIGN: "does not go to this deployment, so nothing was sent",
}


@dataclass(frozen=True)
class Row:
    """A message with the newest of what happened to it; `entries`: how much of that is on this page."""

    last: LogEntry
    kind: str
    entries: int


class MessagesPage:
    """Shows messages, and replays them."""

    def __init__(self, records: QueueRecords, replaying: Replaying) -> None:
        self._records = records
        self._replaying = replaying

    async def show(self, visit: Visit) -> Response:
        """Messages by what happened last."""
        state = visit.query("state")
        if state and state not in STATES:
            raise ApiError(422, f"no message has the state {state!r}: known are {', '.join(STATES)}")
        page = await self._records.log(
            label=visit.query("job"), state=state, cursor=visit.query("cursor"), limit=_ENTRIES
        )
        rows: dict[str, Row] = {}
        for entry in page.entries:
            known = rows.get(entry.message.id)
            last = known.last if known else entry
            rows[entry.message.id] = Row(last, kind_of(last.message), known.entries + 1 if known else 1)
        given = {name: visit.query(name) for name in ("job", "state")}
        return visit.page("messages.html", rows=list(rows.values()), given=given, states=STATES, cursor=page.cursor)

    async def one(self, visit: Visit) -> Response:
        """One message: its content, its log, and how it stands to the state."""
        message_id = visit.request.path_params["message_id"]
        message, entries = await message_and_log(self._records, message_id, _ENTRIES)
        (looked,) = await self._replaying.look([message])
        return visit.page(
            "message.html",
            message=message,
            kind=kind_of(message),
            entries=entries,
            looked=looked,
            sendable=looked.state in SENDABLE,
        )

    async def replay(self, visit: Visit) -> Response:
        """Send those that were ticked once more; say of each sort how many."""
        ids = list(dict.fromkeys(visit.form.get("message", [])))
        if not ids:
            return visit.go("/console/messages", "No message was ticked.")
        if len(ids) > _MOST_TICKED:
            raise ApiError(422, f"{len(ids)} messages are ticked; at most {_MOST_TICKED} are sent at once")
        places = asyncio.Semaphore(_AT_ONCE)

        async def send(message_id: str) -> Looked:
            async with places:
                message, _ = await message_and_log(self._records, message_id, _ENTRIES)
                return await self._replaying.replay(message)

        found = await asyncio.gather(*(send(each) for each in ids))
        if len(ids) == 1:
            return visit.go(f"/console/messages/{ids[0]}", _said(found[0]))
        back = f"/console/messages?job={job}" if (job := field(visit.form, "job")) else "/console/messages"
        return visit.go(back, said_of_many(found))

    async def redrive(self, visit: Visit) -> Response:
        """Send what a job expects now."""
        job_id = visit.request.path_params["job_id"]
        redriven = await self._replaying.redrive(job_id)
        said = f"{redriven} steps of the job were redriven." if redriven else "The job expects nothing now."
        return visit.go(f"/console/jobs/{job_id}", said)


def _said(looked: Looked) -> str:
    more = looked.expected if looked.state not in SENDABLE else 0
    still = f" Its job still expects {more} steps: redrive them again below." if more else ""
    return f"The message {_SAID[looked.state]}.{still}"


def said_of_many(found: list[Looked]) -> str:
    """How many were sent, and what is with the others."""
    sent = sum(looked.state in SENDABLE for looked in found)
    applied = sum(looked.state in (MessageState.APPLIED, MessageState.ENDED) for looked in found)
    others = len(found) - sent - applied
    parts = [f"{sent} sent again", f"{applied} applied already, so not sent" if applied else ""]
    parts.append(f"{others} about nothing that is still here, so not sent" if others else "")
    return f"Of {len(found)} messages: {'; '.join(part for part in parts if part)}."
