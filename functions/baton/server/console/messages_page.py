"""The queue's messages: each one's fate, and sending some once more; dead letters in groups of the same error.

A whole group of dead letters is retried or deleted at once.
"""

import asyncio
import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.responses import Response

from baton.queue.ports import DeadLetter, LogEntry, QueuedMessage
from baton.server.api.admin.control import message_and_log, replaying_of
from baton.server.api.problem import ApiError
from baton.server.console.event_page import event_in
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.shown import one_line
from baton.worker.recovery.replay_message import SENDABLE, MessageCheck, MessageState
from baton.worker.recovery.undelivered import all_dead_letters
from baton_events.app_event import AppEvent
from baton_events.errors import QueueRefusedError
from baton_events.ids import key_digest

_VARIES = re.compile(r"[0-9a-z_]*\d[0-9a-zA-Z_.-]*")
_ERROR_CHARS = 160


def kind_of(message: QueuedMessage) -> str:
    """Return its event's type, else its endpoint of ours, else its address."""
    for name, value in message.headers.items():  # as it was sent, or as a proxy writes it
        if name.lower() == "x-event-type":
            return value
    before, workers, endpoint = urlsplit(message.url).path.rpartition("/workers/")
    return endpoint if workers and not before.endswith("/workers") else message.url


def why_dead(letter: DeadLetter) -> str:
    """Return the last answer in a line; of a problem document its detail."""
    try:
        answer = json.loads(letter.answer)
        text = str(answer["detail"])
    except (ValueError, KeyError, TypeError, RecursionError):
        text = letter.answer
    return one_line(text, _ERROR_CHARS) or ("no answer" if not letter.status else "no body")


def alike(text: str) -> str:
    """Replace the parts of a line that differ from message to message: ids and numbers."""
    return _VARIES.sub("…", text)


HOME = "/console/dead-letters"
_PAGES, _SHOWN, _MS_DIGITS = 10, 50, len("1795165405120")
_RETRIED = SENDABLE | {MessageState.FOREIGN}


@dataclass(frozen=True)
class Group:
    """Dead letters with the same kind, status and error. `why`: the newest one's."""

    id: str
    kind: str
    status: int
    why: str
    letters: list[DeadLetter]

    @property
    def newest_ms(self) -> int:
        """The newest one's time of death, in milliseconds."""
        return max(died_ms(letter) for letter in self.letters)


async def show_dead(visit: Visit) -> Response:
    """Show all groups, and the rows of an opened one."""
    groups, more = await _groups(visit)
    opened = next((group for group in groups if group.id == visit.query("group")), None)
    rows: list[tuple[DeadLetter, str, int, MessageCheck, AppEvent | None]] = []
    if opened is not None:
        shown = sorted(opened.letters, key=died_ms, reverse=True)[:_SHOWN]
        checked = await replaying_of(visit.container).check([letter.message for letter in shown])
        rows = [
            (
                letter,
                why_dead(letter),
                died_ms(letter),
                stands,
                event_in(replaying_of(visit.container).shown(letter.message)),
            )
            for letter, stands in zip(shown, checked, strict=True)
        ]
    return visit.page("dead_letters.html", groups=groups, opened=opened, rows=rows, more=more)


async def retry_dead(visit: Visit) -> Response:
    """Send each message of a group as a new one; skip those that were applied already."""
    group = await _group(visit)
    checked = await replaying_of(visit.container).check([letter.message for letter in group.letters])
    wanted = [letter.id for letter, stands in zip(group.letters, checked, strict=True) if stands.state in _RETRIED]
    done = await visit.container.ports.queue_records.retry(wanted)
    left = len(group.letters) - len(wanted)
    notice = f"{done} of {len(group.letters)} are tried again."
    if left:
        notice += f" {left} were applied already, or their jobs are gone: they stay here until you delete them."
    return visit.go(HOME, notice)


async def delete_dead(visit: Visit) -> Response:
    group = await _group(visit)
    done = await visit.container.ports.queue_records.delete([letter.id for letter in group.letters])
    return visit.go(HOME, f"{done} dead letters are deleted.")


async def _group(visit: Visit) -> Group:
    """Return the group as far as the page showed it: nobody has seen what has died since."""
    wanted, newest = field(visit.form, "group"), field(visit.form, "newest")
    newest_ms = int(newest) if newest.isdecimal() and len(newest) <= _MS_DIGITS else 0
    letters, _ = await all_dead_letters(visit.container.ports.queue_records, most_pages=_PAGES)
    for group in grouped([letter for letter in letters if not newest or died_ms(letter) <= newest_ms]):
        if group.id == wanted:
            return group
    raise ApiError(404, "this group is empty by now: go back to the dead letters, and load the page again")


async def _groups(visit: Visit) -> tuple[list[Group], bool]:
    """Read the groups, the largest first, and whether there are more dead letters than were read."""
    letters, more = await all_dead_letters(visit.container.ports.queue_records, most_pages=_PAGES)
    return grouped(letters), more


def grouped(letters: list[DeadLetter]) -> list[Group]:
    """Group letters by kind, status, and the common part of their errors."""
    groups: dict[str, Group] = {}
    for letter in sorted(letters, key=died_ms, reverse=True):
        kind, why = kind_of(letter.message), why_dead(letter)
        group_id = key_digest(kind, letter.status, alike(why))
        groups.setdefault(group_id, Group(group_id, kind, letter.status, why, [])).letters.append(letter)
    return sorted(groups.values(), key=lambda group: -len(group.letters))


def died_ms(letter: DeadLetter) -> int:
    """Return when it died: its id begins with that time; else when it was created."""
    head = letter.id.partition("-")[0]
    return int(head) if head.isdecimal() and len(head) == _MS_DIGITS else letter.message.created_ms


STATES = ("CREATED", "ACTIVE", "RETRY", "ERROR", "DELIVERED", "FAILED", "CANCELED")
_ENTRIES, _AT_ONCE = 120, 8
_NOTICES = {
    MessageState.DUE: "was sent again",
    MessageState.SIGNALLED: "was sent again: a repeated signal changes nothing",
    MessageState.OURS: "was sent again",
    MessageState.APPLIED: "was applied already: its step is over, so nothing was sent",
    MessageState.ENDED: "was applied already: its job has ended, so nothing was sent",
    MessageState.UNKNOWN: "is about a job that no longer exists, so nothing was sent",
    MessageState.FOREIGN: "does not go to this deployment, so nothing was sent",
}


@dataclass(frozen=True)
class Row:
    """A message with its newest log entry; `entries`: how many of its entries are on this page."""

    last: LogEntry
    kind: str
    entries: int


async def show(visit: Visit) -> Response:
    """List messages by their newest log entry."""
    state = visit.query("state")
    if state and state not in STATES:
        raise ApiError(422, f"no message has the state {state!r}: known are {', '.join(STATES)}")
    job, cursor = visit.query("job"), visit.query("cursor")
    try:
        page = await visit.container.ports.queue_records.log(label=job, state=state, cursor=cursor, limit=_ENTRIES)
    except QueueRefusedError as error:
        raise ApiError(422, f"cursor {cursor!r} is not one of this list, or job {job!r} is none") from error
    rows: dict[str, Row] = {}
    for entry in page.entries:
        known = rows.get(entry.message.id)
        last = known.last if known else entry
        rows[entry.message.id] = Row(last, kind_of(last.message), known.entries + 1 if known else 1)
    given = {name: visit.query(name) for name in ("job", "state")}
    return visit.page("messages.html", rows=list(rows.values()), given=given, states=STATES, cursor=page.cursor)


async def one(visit: Visit) -> Response:
    """Show one message: its content, its log, and whether its job still expects it."""
    message_id = visit.request.path_params["message_id"]
    message, entries = await message_and_log(visit.container.ports.queue_records, message_id, _ENTRIES)
    (checked,) = await replaying_of(visit.container).check([message])
    message = replaying_of(visit.container).shown(message)
    return visit.page(
        "message.html",
        message=message,
        kind=kind_of(message),
        event=event_in(message),
        entries=entries,
        checked=checked,
        sendable=checked.state in SENDABLE,
    )


async def replay(visit: Visit) -> Response:
    """Send the ticked messages once more; show the count of each outcome."""
    ids = list(dict.fromkeys(visit.form.get("message", [])))
    if not ids:
        return visit.go("/console/messages", "No message was ticked.")
    if len(ids) > _ENTRIES:
        raise ApiError(422, f"{len(ids)} messages are ticked; at most {_ENTRIES} are sent at once")
    places = asyncio.Semaphore(_AT_ONCE)

    async def send(message_id: str) -> MessageCheck:
        async with places:
            message, _ = await message_and_log(visit.container.ports.queue_records, message_id, _ENTRIES)
            return await replaying_of(visit.container).replay(message)

    found = await asyncio.gather(*(send(each) for each in ids))
    if len(ids) == 1:
        return visit.go(f"/console/messages/{ids[0]}", _notice(found[0]))
    back = f"/console/messages?{urlencode({'job': job})}" if (job := field(visit.form, "job")) else "/console/messages"
    return visit.go(back, notice_of_many(found))


async def replay_job(visit: Visit) -> Response:
    """Send the messages that a job expects now."""
    job_id = visit.request.path_params["job_id"]
    replayed = await replaying_of(visit.container).replay_job(job_id)
    notice = f"{replayed} messages of the job were replayed." if replayed else "The job expects nothing now."
    return visit.go(f"/console/jobs/{job_id}", notice)


def _notice(checked: MessageCheck) -> str:
    more = checked.expected if checked.state not in SENDABLE else 0
    still = f" Its job still expects {more} steps: replay their messages below." if more else ""
    return f"The message {_NOTICES[checked.state]}.{still}"


def notice_of_many(found: list[MessageCheck]) -> str:
    """Return the counts of sent, applied and other messages, as a sentence."""
    sent = sum(checked.state in SENDABLE for checked in found)
    applied = sum(checked.state in (MessageState.APPLIED, MessageState.ENDED) for checked in found)
    others = len(found) - sent - applied
    parts = [f"{sent} sent again", f"{applied} applied already, so not sent" if applied else ""]
    parts.append(f"{others} about nothing that is still here, so not sent" if others else "")
    return f"Of {len(found)} messages: {'; '.join(part for part in parts if part)}."
