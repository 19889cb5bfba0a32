"""The product in one process: the real pipeline over everything in memory, for one recorded job.

Invariant: nothing opens a connection, and what is built here decides nothing: jobs, calls and ends come from the real
code. Must not: be used for anything that is to last.
"""

from collections.abc import Sequence

from baton.admission.asking import SlotClient
from baton.admission.stored_quota import StoredQuota
from baton.agents.conversing import Conversing
from baton.agents.hiding import Hiding
from baton.agents.model_turn import ModelTurn
from baton.agents.recalling import Recalling
from baton.agents.registry import Registry
from baton.agents.tool_run import ToolRun
from baton.commands.facts import Facts
from baton.configuration.settings import Settings
from baton.core.effects import CallModel, Effect, Remember, RequestSlot, RunTool
from baton.core.listing import Row
from baton.core.redaction import KnownSecrets
from baton.core.work_items import ItemKind
from baton.in_memory.admission import InMemoryAdmission
from baton.in_memory.archive import InMemoryArchive
from baton.in_memory.reader import InMemoryReader
from baton.in_memory.store import InMemoryStore
from baton.runtime.pipeline import Executor, Pipeline
from baton.runtime.policy import Policy
from baton.runtime.work_limits import work_limits_ms
from baton.tools.running_calls import RunningCalls
from baton_events.emitter import Emitter
from baton_local.replay.executors import (
    RecordedEarlier,
    RecordedMemory,
    RecordedRun,
    RecordedTurn,
    nothing_to_remember,
)
from baton_local.replay.outside import CountingTokens, ReplayQueue
from baton_local.replay.play import Play
from baton_local.replay.recorded_registry import RecordedRegistry

# Slots are no part of a job's decisions: there is always one.
_SLOTS = 1_000_000
_RESULT_LIMIT_BYTES = 1_000_000_000  # what was recorded was within the limit of its time
SETTINGS = Settings(worker_base_url="https://replay.invalid", qstash_token="replay")  # noqa: S106 - opens nothing


class Stage:
    """Store, queue and pipeline of one replay."""

    def __init__(self, registry: Registry, play: Play) -> None:
        self.store, self.queue = InMemoryStore(), ReplayQueue()
        self.reader = InMemoryReader(self.store)
        self.emitter = Emitter(SETTINGS, self.queue)
        admission, quota = InMemoryAdmission(_SLOTS), StoredQuota(None, play.clock, SETTINGS)
        asking = SlotClient(admission, nothing_is_listed, self.emitter, play.clock, quota)
        self.facts = Facts(self.store, InMemoryArchive(self.store), admission, asking, self.emitter, play.clock)
        self.pipeline = Pipeline(
            self.store,
            self.emitter,
            play.clock,
            CountingTokens(),
            _executors(RecordedRegistry(registry, play), self.store, asking, play),
            self.facts,
            nothing_follows,
            Policy(
                work_limits_ms(SETTINGS.work_timeout_seconds, registry.tools),
                continues=frozenset({ItemKind.SLOT_REQUEST}),
            ),
        )


async def nothing_is_listed(_row: Row) -> None:
    """One job needs no list."""


async def nothing_follows(_effects: Sequence[Effect]) -> None:
    """Nobody is told of a replay."""


def _executors(
    registry: Registry, store: InMemoryStore, asking: SlotClient, play: Play
) -> dict[type[Effect], Executor]:
    limit_seconds, secrets, memory = SETTINGS.work_timeout_seconds, KnownSecrets(), RecordedMemory(play)
    turn = Recalling(Conversing(ModelTurn(registry, limit_seconds), registry, RecordedEarlier(play)), registry, memory)
    calls = RunningCalls(limit_seconds)
    run = ToolRun(registry, store, memory, play.clock, calls, _RESULT_LIMIT_BYTES, secrets)
    return {
        RequestSlot: asking,
        CallModel: Hiding(RecordedTurn(turn, play), secrets),
        RunTool: Hiding(RecordedRun(run, play), secrets),
        Remember: nothing_to_remember,
    }
