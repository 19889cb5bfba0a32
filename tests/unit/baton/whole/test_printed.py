"""What the code of a call prints and logs is kept with the call, and reaches the terminal as before."""

import asyncio
import logging
from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, Step, tool, workflow
from baton.sdk.tools.printed import KEPT_CHARS
from baton.testing import Run, Simulation
from tests.unit.baton.server.api.client import ADMIN, with_keys
from tests.unit.baton.server.console.operator import operator_of
from tests.unit.baton.whole.test_sealed import K1, stage_of
from tests.unit.baton.whole.test_sealed import kept as stored_in

say = print
LOG = logging.getLogger("shop.orders")
LOG.propagate = False


@tool
async def speaks(n: int) -> int:
    say("begins", n)
    await asyncio.sleep(1)
    LOG.warning("ends %d", n)
    return n


@tool
def in_thread(n: int) -> int:
    say("thread", n)
    return n


@tool(retries=1, retry_delay_seconds=0.1, retry_on=[OSError])
async def fails(n: int) -> None:
    say("tries")
    raise OSError(n)


@tool
async def waits() -> Pending:
    say("waits now")
    return Pending(timeout_seconds=1)


@tool
async def much() -> None:
    for number in range(3_000):
        say("line", number)


@tool
async def tells(api_key: str) -> None:
    say("the key is", api_key)


@tool
async def quiet() -> None:
    """Print nothing."""


@workflow
async def clerk(n: int) -> list[int]:
    return list(await asyncio.gather(speaks(n), speaks(n + 1)))


async def kept(agent: str, **options: Any) -> tuple[Run, dict[str, list[tuple[int, str]]]]:
    agents = [
        Agent("calls", ScriptedModel([[Call(t.name, {"n": n}) for t, n in CALLS], "done"]), tools=[speaks, in_thread]),
        Agent("fails", ScriptedModel([[Call("fails", {"n": 1})], "done"]), tools=[fails]),
        Agent("waits", ScriptedModel([[Call("waits")], "done"]), tools=[waits]),
        Agent("much", ScriptedModel([[Call("much")], "done"]), tools=[much]),
        Agent("tells", ScriptedModel([[Call("tells", {"api_key": "sk-0123456789abcdef"})], "done"]), tools=[tells]),
        Agent("quiet", ScriptedModel([[Call("quiet")], "done"]), tools=[quiet]),
        Agent("plan", plan=[Step("s", speaks, {"n": 7})]),
        Agent(
            "code",
            ScriptedModel([[Call("run_code", {"code": "await speaks(n=5)"})], "done"]),
            tools=[speaks],
            code_mode=True,
        ),
    ]
    run = await Simulation(Registry(agents, workflows=[clerk])).run(agent, "go", **options)
    found = {f"{call['tool']} {call['summary']}": call.get("printed", []) for call in run.calls}
    return run, {name: [(each["attempt"], each["text"]) for each in one] for name, one in found.items()}


CALLS = [(speaks, 1), (speaks, 2), (in_thread, 3)]
SPOKEN = "begins {0}\nWARNING shop.orders: ends {0}\n"


@pytest.mark.parametrize(
    ("agent", "texts"),
    [
        ("calls", [[(1, SPOKEN.format(1))], [(1, SPOKEN.format(2))], [(1, "thread 3\n")]]),
        ("clerk", [[(1, SPOKEN.format(3))], [(1, SPOKEN.format(4))]]),
        ("plan", [[(1, SPOKEN.format(7))]]),
        ("code", [[], [(1, SPOKEN.format(5))]]),
        ("fails", [[(1, "tries\n"), (2, "tries\n")]]),
        ("waits", [[(1, "waits now\n")]]),
        ("tells", [[(1, "the key is [redacted]\n")]]),
        ("quiet", [[]]),
    ],
)
async def test_each_attempt_keeps_its_own(
    agent: str, texts: list[list[tuple[int, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, found = await kept(agent, input_data={"n": 3})
    assert list(found.values()) == texts, run.calls
    assert all(("printed" in call) is bool(one) for call, one in zip(run.calls, texts, strict=True))
    shown = capsys.readouterr().out
    lines = [line for one in texts for _, text in one for line in text.splitlines()]
    assert all(line in shown for line in lines if "WARNING" not in line and "[redacted]" not in line)


async def test_the_end_of_much_is_kept_and_the_cut_is_marked() -> None:
    _, found = await kept("much")
    [[(_, text)]] = found.values()
    assert text.startswith("[… the beginning is cut]\n")
    assert text.endswith("line 2999\n")
    assert KEPT_CHARS <= len(text) <= KEPT_CHARS + 30


@workflow
async def talks(n: int) -> int:
    print("before", n)  # noqa: T201 - what a workflow does
    await speaks(n)
    print("after", n)  # noqa: T201 - as above
    if n > 5:
        raise ValueError(n)
    return n


@pytest.mark.parametrize("keys", ["", K1])
@pytest.mark.parametrize("n", [1, 6])
async def test_a_workflow_keeps_what_its_code_prints_between_steps(n: int, keys: str) -> None:
    """Sealed as all that it says, where payloads are; people read it all the same."""
    settings = with_keys(payload_keys=keys)
    async with operator_of(stage_of(keys, settings=settings, registry=Registry(workflows=[talks]))) as operator:
        job_id = (await operator.api.submitted(jobType="talks", inputData={"n": n}))["id"]
        await operator.stage.run()
        await operator.log_in()
        page = await operator.see(f"/console/jobs/{job_id}")
        assert f"before {n}\nafter {n}\n" in page
        [call] = (await operator.api.request("GET", f"/api/agent-jobs/{job_id}", ADMIN)).json()["toolCalls"]
        assert call["printed"] == [{"attempt": 1, "text": SPOKEN.format(n)}]
        stored = stored_in(operator.stage.redis)
        assert [text in stored for text in (f"before {n}", f"begins {n}")] == [not keys] * 2
        told = await operator.api.request("GET", f"/api/agent-jobs/{job_id}")
        assert '"printed"' not in told.text, "no client is told what code has printed"
        assert f"begins {n}" in await operator.see(f"/console/jobs/{job_id}/calls/{call['id']}")
