"""The rows of the benchmark, and which machine they need. Add a row here, with a module in `peers/`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.bench.installing import Installed
from tests.bench.peers.servers import postgres_folder


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        name: as its results call it.
        own: runs in our environment; else in that of the peers.
        quick: is part of a quick run, too.
        postgres, restate: needs that server.
        crashes, lengthens, is_far: takes part in those tests. `slow_crash`: takes minutes, so not in a quick run.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    own: bool = False
    quick: bool = True
    postgres: bool = False
    restate: bool = False
    crashes: bool = True
    lengthens: bool = True
    is_far: bool = False
    slow_crash: bool = False

    def missing(self, installed: Installed) -> str:
        """Why it cannot run here; empty: it can."""
        if self.own:
            return ""
        if installed.python is None:
            return "the peers' libraries are not installed"
        if self.postgres and postgres_folder() is None:
            return "PostgreSQL is not installed"
        if self.postgres and shutil.which("setpriv") is None:
            return "setpriv is not installed"
        if self.restate and not installed.restate:
            return "Restate's server is not installed (it needs npm)"
        return ""

    def command(self, installed: Installed, own_python: Path) -> list[str]:
        python = own_python if self.own else installed.python
        return [str(python), "-m", f"tests.bench.peers.{self.module}", *self.arguments]


_INLINE, _QUEUE = ("--mode", "inline"), ("--mode", "queue")
ROWS = (
    Row("baton-inline", "baton_row", _INLINE, own=True, is_far=True),
    Row("baton-queue", "baton_row", _QUEUE, own=True, lengthens=False),
    Row("baton-inline-resp", "baton_row", (*_INLINE, "--store", "resp"), own=True, quick=False, crashes=False),
    Row("baton-redis-queue", "baton_row", (*_QUEUE, "--queue", "redis"), own=True, quick=False, lengthens=False),
    Row("restate", "restate_row", restate=True, is_far=True),
    Row("floor-hop-plain", "floor_row", ("--mode", "hop", "--stack", "plain"), crashes=False, lengthens=False),
    Row("floor-hop-fast", "floor_row", ("--mode", "hop", "--stack", "fast"), quick=False, crashes=False),
    Row("floor-inline-fast", "floor_row", ("--mode", "inline", "--stack", "fast"), quick=False, crashes=False),
    Row("dbos", "dbos_row", postgres=True, is_far=True),
    Row("langgraph", "langgraph_row", postgres=True, is_far=True),
    Row("taskiq", "taskiq_row", lengthens=False, slow_crash=True),
    Row("celery", "celery_row", lengthens=False, slow_crash=True),
)
