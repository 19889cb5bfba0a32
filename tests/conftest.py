"""What holds for all tests: no timed asserts, Ctrl-C works, and our logs are as they were before each test.

Hypothesis has no time limits, which a busy machine breaks. A process that is put together from its environment writes
our logs by itself, and pytest would not see them any more.
"""

import gc
import logging
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from baton.worker.runtime import claims
from tests.left_out import LEFT_OUT, leave_out
from tests.scheduling import Scheduling

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_MARK = "mark.long"

# A shell starts what it runs in the background with SIGINT ignored, and processes inherit that: those which tests end
# as Ctrl-C does would not hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make test-long` imports those files alone that have long tests: each worker imports them for itself."""
    if config.option.markexpr == "long" and collection_path.name.startswith("test_"):
        return None if _names_long(collection_path) else True
    return None


@cache
def _names_long(path: Path) -> bool:
    return any(_MARK in place.read_text() for place in (path, path.with_name("conftest.py")) if place.is_file())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest comes first, then schedules; then whole stacks, which wait, and others, which compute, by turns."""
    hidden = {item.path for item in items if item.get_closest_marker("long") and not _names_long(item.path)}
    if hidden:
        raise pytest.UsageError(f"write {_MARK} in these files, or in their folder's conftest: {sorted(hidden)}")
    files = {rank: dict[Path, int]() for rank in (-1, 0, 1, 2)}

    def turn(item: pytest.Item) -> tuple[int, int, int]:
        rank = _rank(item)
        return min(rank, 1), files[rank].setdefault(item.path, len(files[rank])), rank

    items.sort(key=turn)
    leave_out(config, items)


def _rank(item: pytest.Item) -> int:
    if item.path.name == "test_pydantic_ai_versions.py":
        return -1  # a quarter of an hour in one process
    if item.get_closest_marker("long") and item.nodeid.startswith("tests/simulation/"):
        return 0  # on both cores, and it gives way to all others
    return 1 if item.get_closest_marker("e2e") or item.get_closest_marker("browser") else 2


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector out of what is imported and collected: it stays, and is a lot to look through.

    It then looks once for each 20,000 objects that tests make: once for each 700 took 8 % of their time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints, if this is one of its workers."""
    output: dict[str, object] = getattr(session.config, "workeroutput", {})
    output["left_out"] = session.config.stash.get(LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Which worker runs what."""
    return Scheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker has left out; each leaves out the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Nothing is left out silently; and what tests have counted stands at the end (`record_property`)."""
    for line in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(line)
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "counted":
                terminalreporter.write_line(str(value))


@pytest.fixture(autouse=True)
def our_logs() -> Iterator[None]:
    """Our root logger is set up anew by nobody for the tests that follow."""
    logger = logging.getLogger("baton")
    before = (logger.level, logger.propagate, list(logger.handlers))
    yield
    logger.setLevel(before[0])  # which also forgets what was enabled meanwhile; to assign the level does not
    logger.propagate, logger.handlers = before[1:]
    logging.setLogRecordFactory(logging.LogRecord)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No claim is prolonged, however slow the machine is: for tests that count, on clocks that stand still."""
    monkeypatch.setattr(claims, "RENEW_SECONDS", 86_400.0)
