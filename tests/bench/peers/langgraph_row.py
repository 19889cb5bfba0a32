"""LangGraph with checkpoints in PostgreSQL, written before the next step (durability "sync"), in this process.

python -m tests.bench.peers.langgraph_row [--crash | --long CALLS | ...]
"""

import asyncio
import operator
import sys
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from tests.bench.peers import work
from tests.bench.peers.command import options, run
from tests.bench.peers.job_files import hand_in, serve, until_done
from tests.bench.peers.peer import Peer, python
from tests.bench.peers.servers import start_postgres


class State(TypedDict):
    job: str
    variant: str
    messages: Annotated[list[dict[str, Any]], operator.add]


async def model(state: State) -> dict[str, Any]:
    await work.pause(state["job"])
    return {"messages": [work.model_step(state["job"], state["variant"], state["messages"])]}


async def tool(state: dict[str, Any]) -> dict[str, Any]:
    await work.pause(state["job"])
    return {"messages": [work.tool_step(state["job"], state["call"])]}


def _route(state: State) -> Any:
    calls = state["messages"][-1]["tool_calls"]
    return [Send("tool", {"job": state["job"], "call": call}) for call in calls] or END


async def build(url: str) -> tuple[Any, Any]:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool = AsyncConnectionPool(url, min_size=1, max_size=20, open=False, kwargs=settings)
    await pool.open()
    saver = AsyncPostgresSaver(pool)
    await saver.setup()
    graph = StateGraph(State)
    graph.add_node("model", model)
    graph.add_node("tool", tool)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", _route, ["tool", END])
    graph.add_edge("tool", "model")
    return graph.compile(checkpointer=saver), pool


def _config(job: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": job}, "recursion_limit": 2 * work.calls_wanted("seq") + 50}


def _first(job: str, variant: str) -> dict[str, Any]:
    return {"job": job, "variant": variant, "messages": work.start()}


class LangGraph(Peer):
    name = "langgraph"
    in_process = True
    crash_note = "nothing resumes by itself: after the restart each thread is invoked again, with None"

    async def setup(self) -> None:
        self._url = start_postgres(self)
        if not self.crashing:
            self._graph, pool = await build(self._url)
            self.closing.append(pool.close)

    async def start_worker(self) -> None:
        """In a run with a crash: the process that is killed."""
        if self.crashing:
            self.spawn("worker", python("-m", __spec__.name, "--worker", self._url, str(self.folder)))

    async def run_job(self, variant: str, job: str) -> list[int]:
        state = await self._graph.ainvoke(_first(job, variant), _config(job), durability="sync")
        return work.stamps(state["messages"])

    async def submit(self, variant: str, job: str) -> None:
        hand_in(self.folder, variant, job)

    async def result(self, job: str) -> list[int]:
        await until_done(self.folder, job)
        return []


async def worker(url: str, folder: Path) -> None:
    graph, _pool = await build(url)

    async def follow(job: str, variant: str, _again: bool) -> None:
        known = (await graph.aget_state(_config(job))).values
        await graph.ainvoke(None if known else _first(job, variant), _config(job), durability="sync")

    await serve(folder, follow)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        asyncio.run(worker(sys.argv[2], Path(sys.argv[3])))
    else:
        run(LangGraph, options(__doc__).parse_args())
