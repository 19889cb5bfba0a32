"""Every script on a server in cluster mode: one hash tag a script holds, also for children.

Source: decisions/0008-one-hash-tag.
"""

import re
from importlib.resources import files

import pytest

from baton.engine.all_jobs.job_list import Query
from baton.engine.commit.answers import Claim, Removed, Signal
from baton.sdk.records.budget import periods_around
from baton.sdk.records.memory import MemoryEntry
from baton.settings.settings import Settings
from baton.store.records.budgets import Want
from baton.store.redis.agent_memory import RedisSessionMemory
from baton.store.redis.budgets import Budgets
from baton.store.redis.connection import RedisConnection
from baton_events.errors import StoreRefusedError
from tests.contract.store.sample import NOW_MS, job_of
from tests.contract.store.side import RETENTION_MS, Side
from tests.contract.store_cluster.cluster_node import ClusterNode
from tests.contract.store_cluster.watched_connection import WatchedConnection
from tests.contract.store_cluster.whole_job import WholeJob

ROOTS = ("job_x", "job_0123456789abcdefghijklmn", "job_f00d")
CHILDREN = ("job_x.1-0", "job_x.1-10", "job_x.1-0.2-1")
_TAG = re.compile(r"\{([^}]*)\}")


async def remembered_and_forgotten(connection: WatchedConnection) -> None:
    memory = RedisSessionMemory(connection, RETENTION_MS)
    await memory.add("tenant_a", MemoryEntry("job_x", "exchange", "a", "session_a", "agent_a", "job_x", NOW_MS))
    await memory.forget("tenant_a", "session_a", NOW_MS)


async def budgeted(connection: WatchedConnection) -> None:
    budgets = Budgets(connection, lambda: NOW_MS)
    want = Want("acme", "day", "tokens", "UTC", 100, 10, periods_around("day", "UTC", NOW_MS))
    reservation = await budgets.reserve([want], "call", "", RETENTION_MS)
    assert reservation.outcome == "granted"
    await budgets.settle([want], reservation.periods, "call", [7])


def script_files() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in (files("baton.store.redis") / "lua").iterdir()}


@pytest.mark.parametrize("job_id", [*ROOTS, *CHILDREN])
async def test_a_whole_job_runs_on_a_cluster(
    clustered: Side, connection: WatchedConnection, node: ClusterNode, job_id: str
) -> None:
    """No command of it is refused; each one's keys are in one slot, a child's in its root's."""
    await WholeJob(clustered, job_id).run(swept=True)
    assert (await job_of(clustered, job_id)).job.status == "completed"
    for requested in connection.requested:
        assert len({node.request("CLUSTER", "KEYSLOT", key) for key in set(requested.keys)}) == 1, requested.keys
        tags = {tag for key in requested.keys for tag in _TAG.findall(key)}
        assert tags <= {job_id.partition(".")[0], "admission", "tools"}


async def stopped_and_started(side: Side) -> None:
    await side.admission_control.stop(NOW_MS)
    await side.admission_control.start(NOW_MS)
    await side.admission_control.state()
    await side.admission_control.ends()
    await side.listing.forget((await side.listing.scan(Query(), "", 10)).found)


async def removed(side: Side, job_id: str) -> None:
    recalled = await side.archive.recall(job_id)
    assert recalled is not None
    assert await side.archive.remove(recalled) is Removed.REMOVED
    assert await side.archive.tombstone(job_id) is not None


async def test_every_script_of_the_adapters_ran(clustered: Side, connection: WatchedConnection) -> None:
    """So that a new one cannot be forgotten here."""
    await WholeJob(clustered, ROOTS[0]).run(swept=True)
    await WholeJob(clustered, ROOTS[1]).cancelled()
    await clustered.store.renew([Claim(ROOTS[1], "loop:gone:1:1", "m1", "owner", NOW_MS, NOW_MS)], NOW_MS)
    await clustered.store.signal(ROOTS[0], "m1", Signal("fact", '{"ok":1}', event="named"), NOW_MS)
    await stopped_and_started(clustered)
    await removed(clustered, ROOTS[0])
    await remembered_and_forgotten(connection)
    await budgeted(connection)
    await clustered.reader.ping()
    ran = {requested.script for requested in connection.requested if requested.script}
    assert sorted(name for name, text in script_files().items() if not any(text in script for script in ran)) == []


@pytest.mark.parametrize(("missing", "named"), [("+cluster|slots", "ASKING"), ("+asking", "CLUSTER.SLOTS")])
async def test_rights_that_a_cluster_needs_are_tried(node: ClusterNode, missing: str, named: str) -> None:
    node.let("less", missing)
    told = RedisConnection(Settings(resp_url=f"{node.address_of('less')}?cluster=true"))
    with pytest.raises(StoreRefusedError, match=f"(?i)user 'less' run {named}"):
        await told.try_rights()
    await told.close()


async def test_a_family_lives_in_one_slot_and_families_in_different_ones(clustered: Side, node: ClusterNode) -> None:
    """Several jobs at once, each with its children; what is stored is spread over the cluster by root."""
    for job_id in (*CHILDREN, *ROOTS):  # nothing comes to life below a job that has ended
        await WholeJob(clustered, job_id).run()
    keys = [key for key in node.request("KEYS", "*") if "{admission}" not in key]
    slots = {root: {node.request("CLUSTER", "KEYSLOT", key) for key in keys if f"{{{root}}}" in key} for root in ROOTS}
    assert all(len(found) == 1 for found in slots.values()), slots
    assert len(set.union(*slots.values())) == len(ROOTS)


@pytest.mark.parametrize(
    ("keys", "touched"),
    [
        (("baton:{job_x}:state", "baton:{admission}:book"), "baton:{job_x}:state"),
        (("baton:{job_x}:state",), "baton:{admission}:book"),
    ],
)
async def test_the_cluster_refuses_a_script_of_two_tags(node: ClusterNode, keys: tuple[str, ...], touched: str) -> None:
    """Whether it declares both or touches one undeclared: so what runs above is really held to one tag."""
    text = "#!lua\nreturn redis.call('GET', ARGV[1])"
    with pytest.raises(RuntimeError, match=r"CROSSSLOT|do not hash to the same slot|non local key"):
        node.request("EVAL", text, len(keys), *keys, touched)
