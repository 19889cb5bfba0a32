"""DBOS Transact with PostgreSQL, its steps and workflow in this process.

python -m tests.bench.peers.dbos_row [--crash | --long CALLS | ...]
"""

import asyncio
from pathlib import Path
from typing import Any

from dbos import DBOS, SetWorkflowID

from tests.bench.peers import work
from tests.bench.peers.command import options
from tests.bench.peers.job_files import InProcess, run_in_process, serve
from tests.bench.peers.servers import start_postgres


@DBOS.step()
async def model(job: str, variant: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    await work.pause(job)
    return work.model_step(job, variant, messages)


@DBOS.step()
async def tool(job: str, call: dict[str, Any]) -> dict[str, Any]:
    await work.pause(job)
    return work.tool_step(job, call)


@DBOS.workflow()
async def agent(job: str, variant: str) -> list[int]:
    messages = work.start()
    while True:
        turn = await model(job, variant, messages)
        messages.append(turn)
        calls = turn["tool_calls"]
        if not calls:
            return work.stamps(messages)
        if len(calls) == 1:
            messages.append(await tool(job, calls[0]))
        else:
            messages += await asyncio.gather(*(tool(job, call) for call in calls))


def launch(url: str) -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "log_level": "ERROR",
            "sys_db_pool_size": 20,
            "application_version": "1",
            "executor_id": "one",
        }
    )
    DBOS.launch()


class Dbos(InProcess):
    name = "dbos"
    module = __spec__.name
    crash_note = "recovers by itself when a process of the same executor id and version starts"

    async def setup(self) -> None:
        url = start_postgres(self).replace("postgresql://", "postgresql+psycopg://")
        self.url = f"{url.rpartition('/')[0]}/dbos"
        if not self.crashing:
            launch(self.url)

    async def run_job(self, variant: str, job: str) -> list[int]:
        with SetWorkflowID(job):
            times: list[int] = await agent(job, variant)
            return times

    async def close(self) -> None:
        if not self.crashing:
            DBOS.destroy()
        await super().close()


async def worker(url: str, folder: Path) -> None:
    launch(url)

    async def follow(job: str, variant: str, again: bool) -> None:
        if not again:
            with SetWorkflowID(job):
                await DBOS.start_workflow_async(agent, job, variant)
        await (await DBOS.retrieve_workflow_async(job)).get_result()

    await serve(folder, follow)


if __name__ == "__main__":
    run_in_process(Dbos, worker, options(__doc__))
