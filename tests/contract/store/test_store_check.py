"""What `baton doctor` asks of a store, against a real one."""

from baton.storage.redis.store_check import RedisCheck
from tests.contract.store.redis_process import RedisProcess


async def test_a_store_that_is_well_answers_and_runs_scripts(redis_process: RedisProcess) -> None:
    check = RedisCheck(redis_process.settings())
    await check.ping()
    await check.try_script("baton:doctor:1")
    assert (await check.about())["redis_version"]
    await check.close()
