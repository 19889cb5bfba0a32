"""Every fixed limit of what comes from outside, in one table: for all protocols alike, and for its page.

Invariant: a limit is checked before anything is stored. Limits that operators change are settings, and stand in
table.py; a row here names those that go beside it. Must not: hold a limit that no check reads.
"""

from typing import NamedTuple

from baton_events.app_event import DATA_LIMIT_BYTES

ADDRESS_BYTES, HEADERS_BYTES = 8_192, 32_768
# Bodies: of a route that the table of routes gives no other limit; of a decision; of a schedule, which is sent with
# each of its messages; of a form of the console.
BODY_BYTES, DECISION_BYTES, SCHEDULE_BYTES, FORM_BYTES = 64_000, 512_000, 100_000, 1_000_000
# How long a body may take: so long, and a second more for so many bytes of it.
BODY_SECONDS, BODY_BYTES_A_SECOND = 20, 20_000
# A submission's message to the queue carries the whole task, and after a failover nothing else has it.
TASK_BYTES = 1_000_000
# A client of a chat, or of AG-UI, sends the whole conversation each time.
CONVERSATION_BYTES = 4_000_000
EVENT_BYTES = DATA_LIMIT_BYTES + 4_096
# Of one body: the values of its JSON, the messages of a conversation, the parts of the message that is answered, and
# the faults that an answer lists. A body with more faults than can be counted cheaply is refused without a list.
VALUES, MESSAGES, PARTS, FAULTS, COUNTED_FAULTS = 200_000, 10_000, 1_000, 100, 1_000
# A reader of JSON takes some ten times as long for an escape as for a letter: these take 50 ms.
ESCAPES = 4_000_000
# Of a message. A job names its files in a message of the queue, which must stay small.
FILES, FILES_BYTES = 20, 10_000_000
# Of an id that clients choose.
SESSION_LIMIT_CHARS = 200
# About this much of its jobs has a page of a list, or of a session; one more job may go over it.
PAGE_BYTES = 4_000_000


class Limit(NamedTuple):
    """One row of the page. `most`: a number with its unit, or settings."""

    what: str
    most: str
    beyond: str


def _size(size_bytes: int) -> str:
    return f"{size_bytes:,} bytes"


LIMITS = (
    Limit("an address", _size(ADDRESS_BYTES), "414"),
    Limit("all headers of a request", _size(HEADERS_BYTES), "431"),
    Limit("a body with a content coding (`Content-Encoding`)", "none is decoded", "415"),
    Limit(
        "a task, by whatever protocol it comes: its text, data and names of files, as JSON", _size(TASK_BYTES), "413"
    ),
    Limit("the body of a submission, of a fork, of MCP and of a message to a session", _size(TASK_BYTES), "413"),
    Limit("the body of a chat or of AG-UI: the whole conversation", _size(CONVERSATION_BYTES + 2 * FILES_BYTES), "413"),
    Limit("the body of A2A", _size(TASK_BYTES + 2 * FILES_BYTES), "413"),
    Limit("the body of an event of your own; its data", f"{_size(EVENT_BYTES)}; {_size(DATA_LIMIT_BYTES)}", "413"),
    Limit("the body of an outcome, or of an event for a job", "`RESULT_LIMIT_BYTES`", "413"),
    Limit("the body of a decision", _size(DECISION_BYTES), "413"),
    Limit("the body of a schedule", _size(SCHEDULE_BYTES), "413"),
    Limit("a form of the console", _size(FORM_BYTES), "413"),
    Limit("any other body", _size(BODY_BYTES), "413"),
    Limit("the time that a body takes", f"{BODY_SECONDS} s, and 1 s more for each {_size(BODY_BYTES_A_SECOND)}", "408"),
    Limit("values in the JSON of one body: numbers, texts, lists, objects", f"{VALUES:,}", "413"),
    Limit("escapes (backslashes) in the JSON of one body", f"{ESCAPES:,}", "413"),
    Limit("levels of the JSON of one body", "200", "400"),
    Limit("messages in the body of a chat or of AG-UI", f"{MESSAGES:,}", "422"),
    Limit("parts of the message to answer", f"{PARTS:,}", "422"),
    Limit("files of a message; their bytes together", f"{FILES}; {_size(FILES_BYTES)}", "413"),
    Limit("faults that an answer lists", f"{FAULTS}", "the others are left out"),
    Limit("bytes that a tenant has stored", "`BYTES_KEPT_PER_TENANT`", "429"),
    Limit("schedules of a tenant", "`SCHEDULES_PER_TENANT`", "409"),
    Limit("jobs on a page of a list or of a session, by their size", _size(PAGE_BYTES), "the next page"),
)
