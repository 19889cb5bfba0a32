"""Forks of a stage's job."""

from baton.engine.commit.codec import dump
from baton.engine.fork import Edits, Fork, Source, forked_task
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.new_jobs import fork_job_of
from tests.unit.baton.kit.stage import Stage


async def fork(stage: Stage, turn: int, edits: Edits | None = None, of: str = "job_1") -> Snapshot:
    """A fork of one of the stage's jobs, once nothing is left to do."""
    ended, transcript, name = await stage.snapshot(of), await stage.reader.transcript(of), f"fork_{turn}"
    job = fork_job_of(stage.container.registry, ended.job, job_id=name, session_id=name, now_ms=stage.clock.now_ms())
    spec = Fork(of, turn, "source", edits or Edits(), first_own=turn - ended.job.first_turn + 1)
    text, now_ms = dump(Source(ended.job, ended.calls, ended.results, transcript)), stage.clock.now_ms()
    await stage.container.ports.chats.keep_file(job.tenant, job.session_id, "source", text, now_ms)
    await stage.container.commands.submit(job, forked_task(transcript[0], spec))
    await stage.run()
    return await stage.snapshot(name)
