"""What a stack starts, writes down and gives up; its life as processes is tested in tests/e2e/test_dev_life.py."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baton_local.dev.part import Part, http_is_ready
from baton_local.dev.parts import PartsOf, StackOptions, StackPlan
from baton_local.dev.ports import any_free_port
from baton_local.dev.stack import LocalStack
from baton_local.dev.stack_error import StackError
from baton_local.dev.supervisor import Supervisor, after_death
from tests.unit.baton_local.waiting import until

STAND_IN = Path(__file__).with_name("stand_in_server.py")
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
PATIENCE_SECONDS = 120.0


class Stage:
    """A supervisor with what it said and how often it reported a change."""

    def __init__(self, folder: Path, *parts: Part) -> None:
        self.shown: list[str] = []
        self.changes = 0
        self.capacity_bytes = 10**9
        self.supervisor = Supervisor(parts, folder, self, self._count, lambda: self.capacity_bytes)

    def notice(self, name: str, line: str) -> None:
        self.shown.append(f"{name}: {line}")

    log_line = notice

    def _count(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Supervisor]:
        try:
            await self.supervisor.start()
            yield self.supervisor
        finally:
            await self.supervisor.stop()


def server(name: str, notes: Path, *needs: str, port: int = 0) -> Part:
    port = port or any_free_port(frozenset())
    return Part(
        name=name,
        command=(sys.executable, str(STAND_IN), str(port), str(notes)),
        environment={},
        is_ready=partial(http_is_ready, "127.0.0.1", port, "/"),
        needs=needs,
    )


def script(name: str, text: str, *, ready: bool = False, stop_seconds: float = 3.0) -> Part:
    """A part that runs a line of Python and is ready always or never."""

    async def is_ready() -> bool:
        return ready

    return Part(name, (sys.executable, "-S", "-c", text), {}, is_ready, stop_seconds=stop_seconds)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_parts_start_after_what_they_need_and_stop_in_the_opposite_order(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    first, second = any_free_port(frozenset()), any_free_port(frozenset())
    stage = Stage(tmp_path, server("a", notes, port=first), server("b", notes, "a", port=second))
    async with stage.started():
        pass
    assert notes.read_text().split("\n")[:-1] == [f"start {first}", f"start {second}", f"end {second}", f"end {first}"]


async def test_a_killed_part_comes_back_with_a_new_process(tmp_path: Path) -> None:
    stage = Stage(tmp_path, server("a", tmp_path / "notes"))
    async with stage.started() as supervisor:
        before = supervisor.process_ids()["a"]
        os.kill(before, signal.SIGKILL)
        await until(lambda: stage.changes == 2)
        assert supervisor.process_ids()["a"] not in {before, None}
    assert "a: ended by itself (signal 9, SIGKILL); starting it again now" in stage.shown


async def test_a_part_that_dies_at_once_breaks_the_stack_with_its_last_lines(tmp_path: Path) -> None:
    stage = Stage(tmp_path, script("bad", "raise SystemExit('no room for me')"))
    with pytest.raises(
        StackError, match=r"(?s)bad died 5 times in a row .*exit code 1.*bad\.log.*no room for me"
    ) as failure:
        async with stage.started():
            pass
    assert "\n" in str(failure.value)
    assert (tmp_path / "bad.log").read_text().count("no room for me") == 5


async def test_a_part_that_dies_for_good_later_is_reported_to_who_waits(tmp_path: Path) -> None:
    """`until_broken` raises its reason."""
    flag = tmp_path / "flag"
    stage = Stage(
        tmp_path, script("a", f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)", ready=True)
    )
    async with stage.started() as supervisor:
        flag.touch()
        with pytest.raises(StackError, match="a died 5 times"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await supervisor.until_broken()


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (script("slow", "import time; time.sleep(60)"), r"slow did not get ready within 0\.2 s: see .*slow\.log"),
        (replace(script("a", ""), command=("/nowhere/server",)), "a cannot be started: /nowhere/server"),
    ],
)
async def test_a_part_that_cannot_be_started_is_named(tmp_path: Path, part: Part, why: str) -> None:
    stage = Stage(tmp_path, part)
    with pytest.raises(StackError, match=why):
        await stage.supervisor.start(limit_seconds=0.2)
    await stage.supervisor.stop()


async def test_a_part_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, script("deaf", DEAF, ready=True, stop_seconds=0.2))
    async with stage.started() as supervisor:
        await until(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
        pid = supervisor.process_ids()["deaf"]
    assert not lives(pid)


async def test_kill_does_not_wait_for_anybody(tmp_path: Path) -> None:
    stage = Stage(tmp_path, script("deaf", DEAF, ready=True, stop_seconds=60))
    async with stage.started() as supervisor:
        await until(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
        pid = supervisor.process_ids()["deaf"]
        supervisor.kill()
        await until(lambda: not lives(pid))
    assert not any("starting it again" in line for line in stage.shown)


async def test_errors_in_a_log_are_shown_with_the_parts_name(tmp_path: Path) -> None:
    text = "print('INFO: fine'); print('ERROR: not fine', flush=True); import time; time.sleep(60)"
    stage = Stage(tmp_path, script("a", text, ready=True))
    async with stage.started():
        await until(lambda: stage.shown)
    assert stage.shown == ["a: ERROR: not fine"]


async def test_a_part_that_died_of_a_full_disk_comes_back_when_there_is_room(tmp_path: Path) -> None:
    """The reason is said once, nothing is tried meanwhile, and no log is shown; as long as it lasts."""
    stage = Stage(tmp_path, server("a", tmp_path / "notes"))
    async with stage.started() as supervisor:
        stage.capacity_bytes = 1_000
        first = supervisor.process_ids()["a"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: stage.shown)
        await asyncio.sleep(1.5)
        assert supervisor.process_ids() == {}
        assert len(stage.shown) == 1
        assert f"a: ended: the disk of {tmp_path} is full (0.0 MB left)" in stage.shown[0]
        stage.capacity_bytes = 10**9
        await until(supervisor.process_ids)
        assert len(stage.shown) == 1
        stage.capacity_bytes = 0  # which does not keep it from stopping
        os.kill(supervisor.process_ids()["a"], signal.SIGKILL)
        await until(lambda: len(stage.shown) == 2)
    assert supervisor.process_ids() == {}


async def test_a_part_with_a_log_of_its_own_is_found_among_the_logs(tmp_path: Path) -> None:
    own = tmp_path / "elsewhere" / "own.log"
    stage = Stage(tmp_path, replace(script("a", "print('hello')", ready=True), log_path=own))
    async with stage.started():
        await until(lambda: own.exists() and "hello" in own.read_text())
    assert (tmp_path / "a.log").resolve() == own


def pauses(*lives: float | None) -> list[float | None]:
    """The pause after each of these lives, in seconds that it served; None where the part is given up."""
    deaths, found = 0, list[float | None]()
    for served_seconds in lives:
        deaths, pause = after_death(deaths, served_seconds)
        found.append(pause)
    return found


def test_a_part_that_served_comes_back_at_once_however_often() -> None:
    assert set(pauses(*[1.5] * 50)) == {0.0}


@pytest.mark.parametrize("served_seconds", [None, 0.0, 0.9])
def test_five_quick_deaths_in_a_row_are_the_end(served_seconds: float | None) -> None:
    assert pauses(*[served_seconds] * 5) == [0.0, 0.25, 0.5, 1.0, None]


def test_a_proper_life_in_between_forgives() -> None:
    assert None not in pauses(None, None, None, None, 2.0, None, None, None, None)


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
