"""Very many finished jobs in a database, as fast as it takes them: copies of one that has really run to its end.

Invariant: a copy differs from its original in its id only, so its keys, fields and sizes are those of real state.
"""

from collections.abc import Iterator

from events.adapters.keys import ADMISSION_LISTING
from tests.contract.store_cluster.raw_client import RawClient

Command = tuple[str | int, ...]
RETENTION_MS = 2_592_000_000
BATCH_JOBS = 500
ORIGINAL_ID = "job_" + "0" * 24


def copied_id(number: int) -> str:
    """The id of a copy; as long as the original's."""
    return f"job_{number + 1:024x}"


def write_copies(client: RawClient, count: int) -> None:
    """Copy the original so many times."""
    rows = [(0, member) for member in client.ask("ZRANGE", ADMISSION_LISTING, 0, -1)]
    template = [*commands_of(client), ("ZADD", ADMISSION_LISTING, *(word for row in rows for word in row))]
    for start in range(0, count, BATCH_JOBS):
        numbers = range(start, min(start + BATCH_JOBS, count))
        client.write(command for number in numbers for command in renamed(template, copied_id(number)))


def commands_of(client: RawClient) -> Iterator[Command]:
    """What writes the original's keys, as they are now, with their end of life."""
    for key in sorted(client.ask("KEYS", f"baton:{{{ORIGINAL_ID}}}:*")):
        kind = client.ask("TYPE", key)
        if kind == "hash":
            yield ("HSET", key, *client.ask("HGETALL", key))
        elif kind == "string":
            yield ("SET", key, client.ask("GET", key))
        else:
            assert kind == "list", (key, kind)
            yield ("RPUSH", key, *client.ask("LRANGE", key, 0, -1))
        assert client.ask("PTTL", key) > 0, key
        yield ("PEXPIRE", key, RETENTION_MS)


def renamed(template: list[Command], job_id: str) -> list[Command]:
    """The same commands for another job."""
    return [
        tuple(word.replace(ORIGINAL_ID, job_id) if isinstance(word, str) else word for word in command)
        for command in template
    ]
