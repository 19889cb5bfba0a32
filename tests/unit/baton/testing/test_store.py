"""A simulation plays the adapters and the scripts of production."""

from collections.abc import Callable
from pathlib import Path

from baton import Agent, Budget, Registry, ScriptedModel
from baton.store import redis as adapters
from baton.store.redis import keys
from baton.store.redis.in_process.server import InProcessRedis
from baton.testing import Simulation
from tests.simulation.planting import Defect, around, planted

SCRIPTS = {
    "commit": "-- Compare, then write",
    "semaphore": "-- A semaphore",
    "members": "-- Before semaphore.lua",
    "counted": "-- Before every script",
    "budget": "-- Before reserve.lua and settle.lua",
    "reserve": "-- After budget.lua: a call begins",
    "settle": "-- After budget.lua: calls are over",
}


def greeting() -> Simulation:
    return Simulation(Registry([Agent("greeter", model=ScriptedModel(["Hello."]), budgets=[Budget("k", usd=1)])]))


async def test_what_a_run_leaves_are_the_keys_of_production() -> None:
    simulation = greeting()
    run = await simulation.run("greeter", "greet", session="s")
    assert run.status == "completed"
    left = simulation._left.version.values
    [job_id] = [key[7:-7] for key in left if key.endswith("}:state")]
    assert {keys.SLOTS, keys.SLOT_ORDER, keys.calls_key(job_id), keys.parts_key(job_id)} <= set(left)
    assert any(key.startswith("baton:list:") for key in left)


async def test_a_run_executes_every_script_of_the_store() -> None:
    ran = set[str]()

    def noting(script: Callable[..., str], self: InProcessRedis, text: str) -> str:
        ran.update(name for name, head in SCRIPTS.items() if head in text)
        return script(self, text)

    with planted(Defect("noted", "", (around(InProcessRedis, "script", noting),), 0)):
        assert (await greeting().run("greeter", "greet")).status == "completed"
    files = Path(str(adapters.__file__)).with_name("lua").glob("*.lua")
    assert ran == set(SCRIPTS) == {file.stem for file in files}
