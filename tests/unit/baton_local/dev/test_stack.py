"""What a stack writes down and gives up; its life as processes is tested in tests/e2e/test_dev_life.py."""

import asyncio
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baton_local.dev.part import Part, http_is_ready
from baton_local.dev.parts import PartsOf, StackOptions, StackPlan
from baton_local.dev.stack import LocalStack
from baton_local.dev.stack_error import StackError

STAND_IN = Path(__file__).with_name("stand_in_server.py")
PATIENCE_SECONDS = 120.0


def stand_ins(plan: StackPlan) -> tuple[Part, ...]:
    return tuple(
        Part(
            name=name,
            command=(sys.executable, "-S", str(STAND_IN), str(port)),
            environment=plan.inherited,
            is_ready=partial(http_is_ready, "127.0.0.1", port, "/"),
            listener=plan.listeners[name],
        )
        for name, port in plan.ports.items()
    )


class Silence:
    def notice(self, name: str, line: str) -> None:
        """Nothing."""

    log_line = notice


def stack_on(folder: Path, port: int | None = 0, parts_of: PartsOf = stand_ins) -> LocalStack:
    return LocalStack(StackOptions(folder=folder, port=port, registers=False, parts_of=parts_of), Silence())


def dev_json(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "dev.json").read_text())
    return record


async def test_dev_json_describes_the_running_stack_and_goes_with_it(tmp_path: Path) -> None:
    """The second start finds the same secrets and ports, so that messages that wait go on working."""
    async with stack_on(tmp_path).running() as description:
        first = dev_json(tmp_path)
        assert first == description.as_record()
        assert set(first["processes"]) == {"app", "qstash", "redis_rest", "vector"}
        assert (tmp_path / "dev.json").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "dev.json").exists()
    async with stack_on(tmp_path, port=None).running():
        second = dev_json(tmp_path)
    assert {**first, "processes": None} == {**second, "processes": None}


class Said(Silence):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, name: str, line: str) -> None:
        self.lines.append(line)


async def test_wrong_settings_start_nothing(tmp_path: Path) -> None:
    """All are named, in one message."""
    settings = {"CONTINUATION": "inlne", "WORK_TIMEOUT_SECONDS": "long"}
    options = StackOptions(folder=tmp_path, port=0, registers=False, parts_of=stand_ins, settings=settings)
    with pytest.raises(StackError, match=r"(?s)CONTINUATION.*'inlne'.*WORK_TIMEOUT_SECONDS.*'long'"):
        async with LocalStack(options, Silence()).running():
            pass
    assert not (tmp_path / "logs").exists()


async def test_a_setting_with_a_wrong_letter_is_named(tmp_path: Path) -> None:
    screen, settings = Said(), {"CONTINUATON": "inline", "OPENAI_API_KEY": "x", "CONTINUATION": "inline"}
    options = StackOptions(folder=tmp_path, port=0, registers=False, parts_of=stand_ins, settings=settings)
    async with LocalStack(options, screen).running():
        pass
    assert [line for line in screen.lines if "no setting" in line] == [
        "CONTINUATON is no setting: did you mean CONTINUATION?"
    ]


async def test_a_leftover_description_is_gone_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text("{}")
    seen: list[bool] = []

    def look(plan: StackPlan) -> tuple[Part, ...]:
        seen.append((tmp_path / "dev.json").exists())
        return stand_ins(plan)

    stack = stack_on(tmp_path, parts_of=look)
    stack.kill()  # before the start it is harmless
    async with stack.running():
        pass
    assert seen == [False]


async def test_work_on_a_stack_ends_when_a_part_is_given_up(tmp_path: Path) -> None:
    """With the part's reason, however long the work would have taken."""
    flag = tmp_path / "flag"

    def breakable(plan: StackPlan) -> tuple[Part, ...]:
        text = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)\nos._exit(os.EX_CONFIG)"
        weak = replace(stand_ins(plan)[0], name="weak", command=(sys.executable, "-S", "-c", text))
        return (*stand_ins(plan)[:1], weak)

    stack = stack_on(tmp_path, parts_of=breakable)
    async with stack.running():
        assert await stack.unless_broken(asyncio.sleep(0, "done")) == "done"
        flag.touch()
        with pytest.raises(StackError, match="weak"):
            await asyncio.wait_for(stack.unless_broken(asyncio.sleep(60)), PATIENCE_SECONDS)
