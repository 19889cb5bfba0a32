"""A step gets no dearer unnoticed: exact requests and commands of each event, and a bound for its bytes.

Whoever makes a step cheaper lowers the number here; whoever makes it dearer has to say so here.
"""

import pytest

from baton.engine.commit.patch import Patch
from baton.storage.redis import keys
from baton.storage.redis.tree_writes import Kept, Writes
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.side import Side
from tests.contract.store.test_cost import measured

pytestmark = pytest.mark.bridge

# event → commands; bytes at most.
EVENTS = {"loop asks": (9, 4_800), "loop answers": (13, 3_550), "call returns": (9, 2_600), "complete": (7, 1_850)}


@pytest.fixture
def dearer(real: Side, monkeypatch: pytest.MonkeyPatch) -> Side:
    """The real adapters, with a command more in each step that is written."""
    add_to = Writes.add_to

    def dearer(writes: Writes, patch: Patch, kept: Kept, *, persists: bool) -> None:
        add_to(writes, patch, kept, persists=persists)
        patch.write("HLEN", keys.state_key(writes._root_id), [])

    monkeypatch.setattr(Writes, "add_to", dearer)
    return real


def why_dearer(name: str, spent: Counted) -> str:
    commands, most_bytes = EVENTS[name]
    if (spent.requests, spent.commands) != (2, commands):
        return f"{name}: {spent.requests} requests, {spent.commands} commands; it was 2 and {commands}"
    return f"{name}: {spent.size_bytes} bytes; at most {most_bytes}" if spent.size_bytes > most_bytes else ""


@pytest.mark.parametrize("name", EVENTS)
async def test_an_event_costs_what_it_did(real: Side, redis_process: RedisProcess, name: str) -> None:
    spent, _ = await measured(real, redis_process, name, turns=10, reads_history=False)
    assert not why_dearer(name, spent)


@pytest.mark.parametrize("name", EVENTS)
async def test_a_command_more_is_noticed(dearer: Side, redis_process: RedisProcess, name: str) -> None:
    spent, usage_ledger = await measured(dearer, redis_process, name, turns=10, reads_history=False)
    assert why_dearer(name, spent)
    assert spent == usage_ledger
