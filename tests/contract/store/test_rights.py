"""The rights that docs/redis.md names: jobs run with exactly these; one that lacks is tried, and named."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from baton.engine.transitions import JobStatus
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton.store.redis import connection as connection_module
from baton.store.redis.connection import RedisConnection
from baton.store.redis.operation_stream import OperationStream
from baton_events.errors import StoreAnswerError, StoreRefusedError
from baton_local.doctor.finding import Level
from baton_local.doctor.store import KEYS, RIGHTS, StoreCheck, check_store
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connected, side_over
from tests.contract.store_cluster.raw_client import RawClient

ROOT = Path(__file__).parents[3]
PRODUCT = Path(connection_module.__file__).parent
_WORD = re.compile(r"[\"']([A-Z]{3,})[\"']")
Over = Callable[..., RedisConnection]


@pytest.fixture
async def over(redis_server: RedisProcess) -> AsyncIterator[Over]:
    """Make a connection as a user who has other rights or keys than those documented."""
    made = list[RedisConnection]()

    def connection(*rights: str, keys: tuple[str, ...] = KEYS, options: str = "", seconds: int = 60) -> RedisConnection:
        user = f"u{len(made)}"
        redis_server.let(user, *rights, keys=keys)
        address = redis_server.address_of(user) + options
        made.append(RedisConnection(Settings(resp_url=address, operations_stream_seconds=seconds)))
        return made[-1]

    yield connection
    for each in made:
        await each.close()


def commands_of_the_product(server: RedisProcess) -> set[str]:
    """Every word in quotation marks that is a command."""
    with closing(RawClient(server.socket_path)) as client:
        known = {name.upper() for name in client.request("COMMAND", "LIST")}
    files = [*PRODUCT.rglob("*.py"), *PRODUCT.rglob("*.lua"), ROOT / "functions/baton/engine/commit/patch.py"]
    texts = [
        path.read_text()
        for path in files
        if path.parent.name != "in_process" and path != Path(connection_module.__file__)
    ]
    return known & {word for text in texts for word in _WORD.findall(text)}


def test_the_page_names_the_rights_that_the_doctor_names() -> None:
    page = " ".join((ROOT / "docs/redis.md").read_text().split())
    assert f"needs `{RIGHTS}` on the keys `{KEYS[0]}` and `{KEYS[1]}`" in page


@pytest.mark.parametrize("agent", ["in-a-row", "at-once"])
async def test_a_job_runs_with_exactly_the_documented_rights(redis_server: RedisProcess, agent: str) -> None:
    async with connected(redis_server.over("resp"), OneSlot) as connection:
        await connection.try_rights()
        await OperationStream(connection, 100, "operations:completed", "baton").take()
        stage = RealStage(side_over(connection), 3, continuation="queue")
        await stage.play(agent)
        stored = await stage.ports.reader.jobs(["job_a"])
        assert stored["job_a"].job.status is JobStatus.COMPLETED


async def test_each_command_of_the_product_is_tried(redis_server: RedisProcess, over: Over) -> None:
    """So that a new one cannot be forgotten: what is `untried` is to be added to `_ON_KEYS` of connection.py."""
    commands, untried = commands_of_the_product(redis_server), list[str]()
    assert len(commands) > 50
    for command in sorted(commands):
        try:
            await over(f"-{command.lower()}").try_rights()
            said = ""
        except StoreRefusedError as error:
            said = str(error)
        if not re.search(rf"let its user 'u\d+' run .*\b{command}\b", said):
            untried.append(command)
    assert untried == []


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (("baton:*",), "XACK on operations:completed"),
        (("operations:*",), "EVAL on baton:writable"),
        (("baton:*", "operations:completed"), "XADD on operations:dead"),
    ],
)
async def test_each_key_of_the_product_is_tried(over: Over, keys: tuple[str, ...], named: str) -> None:
    with pytest.raises(StoreRefusedError, match=re.escape(named)):
        await over(keys=keys).try_rights()


async def test_a_stream_that_nobody_reads_needs_no_rights(over: Over) -> None:
    await over(keys=KEYS[:1], seconds=0).try_rights()


async def test_a_database_is_chosen_by_a_right_of_its_own(over: Over) -> None:
    with pytest.raises(StoreRefusedError, match="user 'u0' run SELECT"):
        await over(options="?db=1").try_rights()
    with pytest.raises(StoreAnswerError, match="out of range"):  # the local server has one
        await over("+select", options="?db=1").try_rights()


@pytest.mark.parametrize("right", RIGHTS.split())
async def test_the_doctor_sees_each_right_that_lacks(redis_server: RedisProcess, right: str) -> None:
    """INFO alone is no need of a job: without it the doctor says what it cannot see."""
    redis_server.let("less", right.replace("+", "-"))
    settings = Settings(resp_url=redis_server.address_of("less"))
    check = StoreCheck(settings)
    found = await check_store(check, SystemClock(), settings)
    await check.close()
    if right == "+info":
        assert found[-1].level is Level.NOTE
        return
    assert [each.level for each in found] == [Level.FAILED]
    assert "does not let its user 'less' run" in found[0].text
    assert right == "+ping" or RIGHTS in found[0].way_out
