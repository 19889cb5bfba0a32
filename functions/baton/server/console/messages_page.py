"""The queue's messages: each one's fate, and sending some once more; dead letters in groups of the same error.

A whole group of dead letters is retried or deleted at once.
"""

import asyncio
import json
from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit

from starlette.responses import Response

from baton.queue.ports import DeadLetter, LogEntry, QueuedMessage
from baton.server.api.admin.control import message_and_log, replaying_of
from baton.server.api.problem import ApiError
from baton.server.console.admin.overview_page import named
from baton.server.console.event_page import event_in
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.shown import Failing, grouped, one_line
from baton.worker.recovery.replay_message import SENDABLE, MessageCheck, MessageState
from baton.worker.recovery.undelivered import all_dead_letters
from baton_events.errors import QueueRefusedError
from baton_events.ids import event_job_id

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
    return one_line(text, _ERROR_CHARS) or ("no answer" if not letter.status else "an answer without text")


HOME = "/console/dead-letters"
_GONE = "Nothing was done: these messages were sent again or deleted meanwhile. Those below came later."
_PAGES, _SHOWN, _MS_DIGITS = 10, 50, len("1795165405120")
_RETRIED = SENDABLE | {MessageState.FOREIGN}


async def show_dead(visit: Visit) -> Response:
    replaying = replaying_of(visit.container)
    letters, more = await _letters(visit)
    visit = replace(visit, counts={**visit.counts, "dead-letters": f"{len(letters)}{'+' * more}"})
    found = grouped(failing(letter, replaying.shown(letter.message)) for letter in letters.values())
    jobs = {each.newest.id: _job_of(replaying.shown(letters[each.newest.id].message)) for each in found}
    groups = await named(visit, found, jobs)
    opened = next((group for group in groups if group.id == visit.query("group")), None)
    shown = [letters[one.id] for one in opened.members[:_SHOWN]] if opened else []
    checked = await replaying.check([letter.message for letter in shown]) if shown else []
    events = (event_in(replaying.shown(letter.message)) for letter in shown)
    rows = list(zip(shown, opened.members if opened else (), checked, events, strict=False))
    return visit.page("dead_letters.html", groups=groups, opened=opened, rows=rows, more=more)


async def retry_dead(visit: Visit) -> Response:
    """Send each message of a group as a new one; skip those that were applied already."""
    if not (group := await _group(visit)):
        return visit.go(HOME, _GONE)
    checked = await replaying_of(visit.container).check([letter.message for letter in group])
    wanted = [letter.id for letter, stands in zip(group, checked, strict=True) if stands.state in _RETRIED]
    done = await visit.container.ports.queue_records.retry(wanted)
    left = len(group) - len(wanted)
    notice = f"{done} of {len(group)} are sent again."
    if left:
        notice += f" {left} were applied already, or their jobs are gone: they stay here until you delete them."
    return visit.go(HOME, f"{notice} Those that fail again come back here.")


async def delete_dead(visit: Visit) -> Response:
    group = await _group(visit)
    done = await visit.container.ports.queue_records.delete([letter.id for letter in group])
    return visit.go(HOME, f"{done} undelivered messages are deleted." if group else _GONE)


async def _group(visit: Visit) -> list[DeadLetter]:
    """Return the letters of a group as far as the page showed it: nobody has seen what has died since."""
    wanted, newest = field(visit.form, "group"), field(visit.form, "newest")
    newest_ms = int(newest) if newest.isdecimal() and len(newest) <= _MS_DIGITS else 0
    letters, _ = await _letters(visit)
    shown = replaying_of(visit.container).shown
    seen = [failing(each, shown(each.message)) for each in letters.values() if not newest or died_ms(each) <= newest_ms]
    for group in grouped(seen):
        if group.id == wanted:
            return [letters[one.id] for one in group.members]
    return []


async def _letters(visit: Visit) -> tuple[dict[str, DeadLetter], bool]:
    letters, more = await all_dead_letters(visit.container.ports.queue_records, most_pages=_PAGES)
    return {letter.id: letter for letter in letters}, more


def failing(letter: DeadLetter, message: QueuedMessage) -> Failing:
    """Return what has failed: of a handler's failure, which its event keeps, the handler and its error."""
    event, at_ms = event_in(message), died_ms(letter)
    if event is not None and event.dead_letter is not None:
        kind, _, text = event.dead_letter.error.partition(": ")
        return Failing(event.dead_letter.handler, kind, one_line(text, _ERROR_CHARS), at_ms, letter.id)
    status = str(letter.status or "no answer")
    return Failing(kind_of(letter.message), status, why_dead(letter), at_ms, letter.id)


def _job_of(message: QueuedMessage) -> str:
    """Return the job that a message is about: also the one of a handler that has failed; empty: none."""
    if (event := event_in(message)) is not None and event.dead_letter is not None:
        return event_job_id(event.id, event.dead_letter.handler)
    return message.label if message.label.startswith("job_") else ""


def died_ms(letter: DeadLetter) -> int:
    """Return when it died: its id begins with that time; else when it was created."""
    head = letter.id.partition("-")[0]
    return int(head) if head.isdecimal() and len(head) == _MS_DIGITS else letter.message.created_ms


STATES = ("CREATED", "ACTIVE", "RETRY", "ERROR", "DELIVERED", "FAILED", "CANCELED")
_ENTRIES, _AT_ONCE = 120, 8


async def show(visit: Visit) -> Response:
    """List messages by their newest log entry; or show the one whose id is in the query."""
    if asked := visit.query("id"):
        return visit.go(f"/console/messages/{quote(asked, safe='')}")
    state = visit.query("state")
    if state and state not in STATES:
        raise ApiError(422, f"no message has the state {state!r}: known are {', '.join(STATES)}")
    job, cursor = visit.query("job"), visit.query("cursor")
    try:
        page = await visit.container.ports.queue_records.log(label=job, state=state, cursor=cursor, limit=_ENTRIES)
    except QueueRefusedError as error:
        raise ApiError(422, f"cursor {cursor!r} is not one of this list, or job {job!r} is none") from error
    newest = dict[str, LogEntry]()
    for entry in page.entries:
        newest.setdefault(entry.message.id, entry)
    rows = [{"last": entry, "kind": kind_of(entry.message)} for entry in newest.values()]
    given = {name: visit.query(name) for name in ("job", "state")}
    return visit.page("messages.html", rows=rows, given=given, cursor=page.cursor)


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
    job = field(visit.form, "job")
    behind = f"/{quote(ids[0], safe='')}" if len(ids) == 1 else f"?{urlencode({'job': job})}" if job else ""
    return visit.go(f"/console/messages{behind}", notice_of(found))


async def replay_job(visit: Visit) -> Response:
    job_id = visit.request.path_params["job_id"]
    replayed = await replaying_of(visit.container).replay_job(job_id)
    notice = f"{replayed} messages of the job were sent again." if replayed else "The job expects nothing now."
    return visit.go(f"/console/jobs/{job_id}", notice)


def notice_of(found: list[MessageCheck]) -> str:
    """Return the counts of sent, applied and other messages, as a sentence."""
    sent = sum(checked.state in SENDABLE for checked in found)
    applied = sum(checked.state in (MessageState.APPLIED, MessageState.ENDED) for checked in found)
    others = len(found) - sent - applied
    parts = [f"{sent} sent again", f"{applied} applied already, so not sent" if applied else ""]
    parts.append(f"{others} about nothing that is still here, so not sent" if others else "")
    return f"Of {len(found)} message{'s' * (len(found) != 1)}: {'; '.join(part for part in parts if part)}."
