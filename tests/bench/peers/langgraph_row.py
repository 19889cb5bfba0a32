"""LangGraph with checkpoints in PostgreSQL, written before the next step (durability "sync"), in this process.

python -m tests.bench.peers.langgraph_row [--crash | --long CALLS | ...]
"""

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from tests.bench.peers import work
from tests.bench.peers.command import options
from tests.bench.peers.job_files import InProcess, run_in_process, serve
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
    graph.add_node("tool", tool)  # type: ignore[type-var]
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", _route, ["tool", END])
    graph.add_edge("tool", "model")
    return graph.compile(checkpointer=saver), pool


def _config(job: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": job}, "recursion_limit": 2 * work.calls_wanted("seq") + 50}


def _first(job: str, variant: str) -> dict[str, Any]:
    return {"job": job, "variant": variant, "messages": work.start()}


class LangGraph(InProcess):
    name = "langgraph"
    module = __spec__.name
    crash_note = "nothing resumes by itself: after the restart each thread is invoked again, with None"

    async def setup(self) -> None:
        self.url = start_postgres(self)
        if not self.crashing:
            self._graph, pool = await build(self.url)
            self.closing.append(pool.close)

    async def run_job(self, variant: str, job: str) -> list[int]:
        state = await self._graph.ainvoke(_first(job, variant), _config(job), durability="sync")
        return work.stamps(state["messages"])


async def worker(url: str, folder: Path) -> None:
    graph, _pool = await build(url)

    async def follow(job: str, variant: str, _again: bool) -> None:
        known = (await graph.aget_state(_config(job))).values
        await graph.ainvoke(None if known else _first(job, variant), _config(job), durability="sync")

    await serve(folder, follow)


if __name__ == "__main__":
    run_in_process(LangGraph, worker, options(__doc__))
