"""What a script hands over is bounded where it leaves: in memory, time and the loop's turns of the app's process."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.architecture.source_files import ROOT
from tests.unit.baton.sdk.code_mode.handed_over import BOUNDED, REFUSED, VALUES

_PATIENCE_SECONDS = 40
# A list of 4,000 texts; then keys that Python hashes for hours, texts of which a copy has four bytes a character, ….
CHOSEN = ("a text many times",)
MORE = (
    *("keys many times", "a text of wide characters", "sets", "many lists", "a long number", "a deep object"),
    *("instances", "many keys"),
)


class Played:
    """The program that plays scripts, and its answers."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self._program = program
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self._lines.put(line)

    def play(self, value: str, door: str) -> dict[str, Any]:
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps([value, door]) + "\n")
        self._program.stdin.flush()
        found: dict[str, Any] = json.loads(self._lines.get(timeout=_PATIENCE_SECONDS))
        return found


@pytest.fixture
def played() -> Iterator[Played]:
    command = [sys.executable, "-m", "tests.unit.baton.sdk.code_mode.handed_over"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as program:
        yield Played(program)
        program.kill()


def _check(played: Played, values: Sequence[str], doors: Sequence[str], *, refused: bool) -> None:
    for value in values:
        for door in doors:
            found = played.play(value, door)
            assert found["kind"] == "Raised" or not refused, (value, door, found)
            assert found["grown_mb"] < 250, (value, door, found)
            assert found["stalled"] < 2, (value, door, found)
            assert found["seconds"] < 20, (value, door, found)


OFTEN = ("value", "argument")


@pytest.mark.parametrize(
    "door", [pytest.param(door, marks=[] if door in OFTEN else pytest.mark.long) for door in REFUSED]
)
def test_a_value_that_is_large_or_deep_by_use_is_an_error_of_the_script(played: Played, door: str) -> None:
    _check(played, list(VALUES), [door], refused=True)


@pytest.mark.parametrize("value", [*CHOSEN, *(pytest.param(value, marks=pytest.mark.long) for value in MORE)])
def test_no_door_takes_memory_or_time_of_the_process(played: Played, value: str) -> None:
    doors = [door for door in BOUNDED if value == CHOSEN[0] or "v" in BOUNDED[door].replace("eval", "")]
    _check(played, [value], doors, refused=False)
