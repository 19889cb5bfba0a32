"""A whole stack on its folder, with stand-ins for its parts."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.dev.part import Part
from infra.dev.parts import StackPlan
from infra.dev.readiness import http_is_ready
from infra.dev.stack import LocalStack, StackOptions
from infra.dev.stack_error import StackError

STAND_IN = Path(__file__).with_name("stand_in_server.py")
PATIENCE_SECONDS = 10.0


def stand_ins(plan: StackPlan) -> tuple[Part, ...]:
    """A server that answers everything in each part's place."""
    return tuple(
        Part(
            name=name,
            command=(sys.executable, "-S", str(STAND_IN), str(port)),
            environment=plan.inherited,
            is_ready=partial(http_is_ready, "127.0.0.1", port, "/"),
        )
        for name, port in plan.ports.items()
    )


def stack_on(folder: Path, said: list[str] | None = None, port: int | None = 0) -> LocalStack:
    """A stack of stand-ins on free ports."""
    options = StackOptions(folder=folder, port=port, backstop=False, parts_of=stand_ins)
    return LocalStack(options, lambda name, line: None if said is None else said.append(f"{name}: {line}"))


def dev_json(folder: Path) -> dict[str, Any]:
    """What other programs read."""
    record: dict[str, Any] = json.loads((folder / "dev.json").read_text())
    return record


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, within bounds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - other processes cannot set an event of ours
            await asyncio.sleep(0.02)


async def test_dev_json_describes_the_running_stack_and_goes_with_it(tmp_path: Path) -> None:
    """Private, complete, and only while everything serves."""
    async with stack_on(tmp_path).running() as description:
        record = dev_json(tmp_path)
        assert record == description.as_record()
        assert set(record["processes"]) == {"app", "qstash", "redis_rest"}
        assert (tmp_path / "dev.json").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "dev.json").exists()


async def test_the_second_start_finds_the_same_secrets_and_ports(tmp_path: Path) -> None:
    """So that messages that wait go on working."""
    async with stack_on(tmp_path).running():
        first = dev_json(tmp_path)
    async with stack_on(tmp_path, port=None).running():
        second = dev_json(tmp_path)
    assert {**first, "processes": None} == {**second, "processes": None}


async def test_a_restarted_part_is_described_anew(tmp_path: Path) -> None:
    """With its new pid; the others stay."""
    async with stack_on(tmp_path).running():
        before = dev_json(tmp_path)["processes"]
        os.kill(before["qstash"], signal.SIGKILL)
        await until(lambda: dev_json(tmp_path)["processes"].get("qstash") != before["qstash"])
        after = dev_json(tmp_path)["processes"]
    assert {**after, "qstash": 0} == {**before, "qstash": 0}


async def test_a_second_stack_on_the_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    """The first one's description stays."""
    async with stack_on(tmp_path).running():
        with pytest.raises(StackError, match="already runs"):
            async with stack_on(tmp_path).running():
                pass
        assert (tmp_path / "dev.json").exists()


async def test_a_leftover_description_is_gone_before_anything_starts(tmp_path: Path) -> None:
    """Whoever waits for the file never reads a killed run's."""
    (tmp_path / "dev.json").write_text("{}")
    seen: list[bool] = []

    def look(plan: StackPlan) -> tuple[Part, ...]:
        seen.append((tmp_path / "dev.json").exists())
        return stand_ins(plan)

    async with LocalStack(
        StackOptions(folder=tmp_path, port=0, backstop=False, parts_of=look), lambda _name, _line: None
    ).running():
        pass
    assert seen == [False]


async def test_cancelling_stops_every_part(tmp_path: Path) -> None:
    """Ctrl-C is a cancellation; it may come at any time."""
    pids: list[int] = []

    async def work() -> None:
        async with stack_on(tmp_path).running() as description:
            pids.extend(description.processes.values())
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await until(lambda: pids)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_kill_before_the_start_is_harmless(tmp_path: Path) -> None:
    """A very impatient person."""
    stack_on(tmp_path).kill()
