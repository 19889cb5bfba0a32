"""`baton demo` as a person sees it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from baton_local.cli.demo.scenario import SCENARIOS
from tests.e2e.dev_stack import PATIENCE_SECONDS, baton, wait_for

pytestmark = pytest.mark.e2e

DEMO_SECONDS = 300.0


class Demo:
    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "t"
        self.temporary.mkdir()
        self.output_path = folder / "out"
        self.process: subprocess.Popen[bytes] | None = None
        self.more_environment: dict[str, str] = {}

    def start(self, *arguments: str) -> "Demo":
        own = {"TMPDIR": str(self.temporary), "COLUMNS": "80", **self.more_environment}
        environment = {**os.environ, **own}  # noqa: TID251 - to inherit it
        with self.output_path.open("wb") as output:
            self.process = subprocess.Popen(
                baton("demo", *arguments), stdout=output, stderr=output, env=environment, cwd=self.temporary.parent
            )
        return self

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(DEMO_SECONDS)

    def shown(self) -> str:
        return self.output_path.read_text()

    def leftovers(self) -> list[str]:
        lines = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue  # it has just ended
        return [line for line in lines if str(self.temporary) in line] + [
            str(path) for path in self.temporary.iterdir()
        ]


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that does not outlive its test. Its folder's name is short: a socket's path has 107 bytes at most."""
    made = Demo(tmp_path_factory.mktemp("demo"))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_the_demo_shows_events_answer_and_bill(demo: Demo) -> None:
    assert demo.start().wait() == 0, demo.shown()
    shown = demo.shown()
    for expected in ("agent.loop.init", "agent.tool.call", "tool.execution.complete", "read_file", "Answer"):
        assert expected in shown
    for expected in ("[fresnel-lens.md]", "Events handled", "Queue messages", "Redis commands", "Wall time", "Next:"):
        assert expected in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert demo.leftovers() == []


@pytest.mark.long
def test_the_first_line_is_there_before_anything_serves(demo: Demo) -> None:
    demo.start("simple")
    wait_for(demo.shown, "the first line")
    assert "Ready" not in demo.shown()
    assert demo.wait() == 0, demo.shown()


def test_the_demo_survives_kill_9_of_its_app(demo: Demo) -> None:
    assert demo.start("--fault", "kill").wait() == 0, demo.shown()
    shown = demo.shown()
    assert "kill -9 of the app" in shown
    assert "app ended by itself (signal 9, SIGKILL)" in shown
    assert "[fresnel-lens.md]" in shown
    assert demo.leftovers() == []


@pytest.mark.long
def test_the_demo_shows_the_samples_whatever_app_the_environment_names(demo: Demo) -> None:
    """Somebody's own agents are not the ones that it is about."""
    demo.more_environment["BATON_APP"] = "my_company.agents:registry"
    assert demo.start("simple").wait() == 0, demo.shown()


def test_ctrl_c_ends_the_demo_and_everything_it_started(demo: Demo) -> None:
    """Exit code 1, since the job was not shown to its end."""
    demo.start("--fault", "kill")
    wait_for(lambda: "kill -9 of the app" in demo.shown(), "the middle of the job", PATIENCE_SECONDS)
    assert demo.process is not None
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 1
    assert "Traceback" not in demo.shown()
    assert demo.leftovers() == []


def test_a_demo_that_does_not_exist_is_wrong_use(demo: Demo) -> None:
    assert demo.start("nope").wait() == 2
    assert "there is no demo 'nope'; there are research, " in demo.shown()


def test_the_list_names_every_demo(demo: Demo) -> None:
    assert demo.start("--list").wait() == 0
    lines = demo.shown().splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)
    assert max(map(len, lines)) <= 80


SPECIAL = {
    "report": (
        "plan: step overview = overview, after",
        "step first begins",
        "second (read_file): ",
        '"path":"the-first',
    ),
    "planner": ("make_plan failed", "plan: step report", "step missing is over: failed", "reflects: I searched"),
    "supervisor": ("historian waits, at no cost, for its job", "  agent.tool.call", "engineer turn 1", "[keepers.md]"),
    "pydantic": ("price {", "checkpoint (approval, approved)", "the model is told why", '"euros":120'),
    "assistant": ("Session   tuesday", "Retrieved from memory", "note of session monday", "[another conversation"),
}


@pytest.mark.long
@pytest.mark.parametrize("fault", [False, True], ids=["undisturbed", "killed"])
@pytest.mark.parametrize("name", SPECIAL)
def test_each_demo_shows_what_is_special_about_it(demo: Demo, name: str, fault: bool) -> None:
    assert demo.start(name, *(("--fault", "kill") if fault else ())).wait() == 0, demo.shown()
    shown = demo.shown()
    for expected in (*SPECIAL[name], "Answer", "Events handled", "Next:"):
        assert expected in shown
    assert ("kill -9 of the app" in shown) is fault
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown
    assert demo.leftovers() == []
