"""The index of the log: which messages have a value that is searched for, by a hash of its name and the value.

Invariant: a message in the database has all its traits there. Another message may share a hash, so a reader checks.
"""

import sqlite3
from zlib import crc32

from baton_local.qstash.core.message import Message
from baton_local.qstash.core.selection import Selection, values_of
from baton_local.qstash.storage import message_codec

# Those that tell few messages from many. Host, path and caller are mostly the same: they have no traits.
INDEXED = ("url", "topicName", "queueName", "scheduleId", "label", "flowControlKey")
TRAIT = "INSERT OR IGNORE INTO traits VALUES(?,?)"
# A filter that more messages pass has no need of the index: the newest events show some of them soon.
FEW = 1_000

_Rows = list[tuple[int, int]]
Numbers = tuple[str, list[int] | list[str]]


def rows_of(message: Message) -> _Rows:
    """The rows of a message."""
    return [
        (message.seq, _trait(name, value))
        for name in INDEXED
        for value in values_of(message, name)
        if value is not None
    ]


def fill(connection: sqlite3.Connection) -> None:
    """Give messages their traits that were written before there was an index."""
    for row in connection.execute("SELECT seq, id, user, content, NULL FROM messages"):
        connection.executemany(TRAIT, rows_of(message_codec.decode(*row)))


def few_messages(connection: sqlite3.Connection, selection: Selection) -> Numbers | None:
    """A query for the numbers of all messages that may be selected, if it is known that they are few."""
    if ids := sorted(selection.values.get("messageId", ())):
        return f"SELECT seq FROM messages WHERE id IN ({','.join('?' * len(ids))})", ids  # noqa: S608 - only marks
    for name in INDEXED:
        if wanted := selection.values.get(name):
            traits = sorted({_trait(name, value) for value in wanted})
            query = f"SELECT seq FROM traits WHERE trait IN ({','.join('?' * len(traits))})"  # noqa: S608 - only marks
            counted = f"SELECT count(*) FROM ({query} LIMIT {FEW + 1})"  # noqa: S608 - the same
            if connection.execute(counted, traits).fetchone()[0] <= FEW:
                return query, traits
    return None


def _trait(name: str, value: str) -> int:
    return crc32(f"{name} {value}".encode(errors="surrogatepass"))
