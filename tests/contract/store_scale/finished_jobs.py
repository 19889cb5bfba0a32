"""Very many finished jobs in a database, as fast as it takes them: copies of one that has really run to its end.

Invariant: a copy differs from its original in its id only, so its keys, fields and sizes are those of real state.
"""

from collections.abc import Iterable, Iterator

from baton.store.redis.keys import list_key
from tests.contract.store_cluster.raw_client import RawClient

Command = tuple[str | int, ...]
RETENTION_MS = 2_592_000_000
BATCH_JOBS = 500
ORIGINAL_ID = "job_" + "0" * 24


def write_copies(client: RawClient, count: int) -> None:
    """Copy the original so many times."""
    template = [*commands_of(client), *(("ZADD", key, *scored(rows)) for key, rows in listed(client).items())]
    for start in range(0, count, BATCH_JOBS):
        numbers = range(start, min(start + BATCH_JOBS, count))
        client.write(command for number in numbers for command in renamed(template, f"job_{number + 1:024x}"))


def listed(client: RawClient) -> dict[str, list[str]]:
    """The rows of jobs, by the key that has them; what catalogues say is of no job alone."""
    members = {key: client.request("ZRANGE", key, 0, -1) for key in sorted(client.request("KEYS", list_key("*")))}
    rows = {key: [member for member in found if ":job_" in member] for key, found in members.items()}
    return {key: found for key, found in rows.items() if found}


def scored(members: Iterable[str]) -> Iterator[str | int]:
    for member in members:
        yield from (0, member)


def commands_of(client: RawClient) -> Iterator[Command]:
    """What writes the original's keys, as they are now, with their end of life."""
    for key in sorted(client.request("KEYS", f"baton:{{{ORIGINAL_ID}}}:*")):
        kind = client.request("TYPE", key)
        if kind == "hash":
            yield ("HSET", key, *client.request("HGETALL", key))
        elif kind == "string":
            yield ("SET", key, client.request("GET", key))
        else:
            assert kind == "stream", (key, kind)
            yield from (("XADD", key, at, *fields) for at, fields in client.request("XRANGE", key, "-", "+"))
        assert client.request("PTTL", key) > 0, key
        yield ("PEXPIRE", key, RETENTION_MS)


def renamed(template: list[Command], job_id: str) -> list[Command]:
    return [
        tuple(word.replace(ORIGINAL_ID, job_id) if isinstance(word, str) else word for word in command)
        for command in template
    ]
