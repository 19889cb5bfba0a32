"""`baton demo` as a person sees it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from baton_local.cli.demo.command import SCENARIOS
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
        """Command lines of processes that work in its folder, and files there."""
        lines = [str(path) for path in self.temporary.iterdir()]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has just ended
                lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return [line for line in lines if str(self.temporary) in line]

    def check(self, *expected: str, arguments: tuple[str, ...] = ()) -> None:
        """It ends well, shows this in 80 columns, without colour, and leaves nothing behind."""
        assert self.start(*arguments).wait() == 0, self.shown()
        shown = self.shown()
        for text in (*expected, "Answer", "Events handled", "Next:"):
            assert text in shown
        assert ("kill -9 of the app" in shown) is ("--fault" in arguments)
        assert max(map(len, shown.splitlines())) <= 80
        assert "\x1b" not in shown
        assert self.leftovers() == []


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that does not outlive its test. Its folder's name is short: a socket's path has 107 bytes at most."""
    made = Demo(tmp_path_factory.mktemp("demo"))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_the_demo_shows_events_answer_and_bill(demo: Demo) -> None:
    events = ("agent.loop.init", "agent.tool.call", "tool.execution.complete", "read_file")
    demo.check(*events, "[fresnel-lens.md]", "Queue messages", "Redis commands", "Wall time")


@pytest.mark.long
def test_the_demo_survives_kill_9_of_its_app(demo: Demo) -> None:
    """It shows the kill, the restart, and the same answer."""
    shown = ("app ended by itself (signal 9, SIGKILL)", "[fresnel-lens.md]")
    demo.check(*shown, arguments=("--fault", "kill"))


@pytest.mark.long
def test_a_person_sees_at_once_that_something_happens_whatever_app_the_environment_names(demo: Demo) -> None:
    """Somebody's own agents are not the ones that it is about."""
    demo.more_environment["BATON_APP"] = "my_company.agents:registry"
    demo.start("simple")
    wait_for(demo.shown, "the first line")
    assert "Ready" not in demo.shown()
    assert demo.wait() == 0, demo.shown()


@pytest.mark.long
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
    "openai": ("price {", "transfer_to_payer", "checkpoint (approval, approved)", "receipt R-7."),
    "workflow": ("reserve {", "checkpoint (approval, approved)", "sleep waits, at no cost", "order-7: 330 euros"),
    "assistant": ("Session   tuesday", "Retrieved from memory", "note of session monday", "[another conversation"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", SPECIAL)
def test_each_demo_shows_what_is_special_about_it_though_its_app_is_killed(demo: Demo, name: str) -> None:
    demo.check(*SPECIAL[name], arguments=(name, "--fault", "kill"))
