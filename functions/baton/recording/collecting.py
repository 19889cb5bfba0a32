"""Reads all that is stored of a job and of the jobs below it. Must not: wait for, or change, any of them."""

from baton.ports import Reader
from baton.recording.document import JobSource


async def collect(reader: Reader, job_id: str) -> dict[str, JobSource]:
    """What is stored, by job id; a job that is not there (any more) is left out.

    Raises:
        StoreError: the store does not answer.
    """
    found: dict[str, JobSource] = {}
    todo = [job_id]
    while todo:
        name = todo.pop()
        snapshot = await reader.job(name)
        if snapshot is None:
            continue
        parts = (await reader.parts(name, 0)).parts
        found[name] = JobSource(snapshot, await reader.transcript(name), parts)
        todo += [call.child for call in snapshot.calls if call.child]
    return found
