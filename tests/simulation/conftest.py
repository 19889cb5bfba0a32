"""Below the tests stands what the simulation has found: pytest shows nothing that a passing test prints."""

import pytest

from tests.simulation.ahead import GIVING_WAY, Ahead
from tests.simulation.defects import ALL_NAMES, Caught, catch_all
from tests.simulation.findings import Findings

_FINDINGS = pytest.StashKey[Findings]()
_DEFECTS = pytest.StashKey[Ahead[list[Caught]] | None]()
# Of so many tests there are enough that wait.
_MANY_TESTS = 2_000
# What waits for what is done ahead, and then what takes both cores: so it has them to itself.
_WAITS = "test_every_planted_defect_is_caught"
_LAST = (_WAITS, "test_no_schedule_breaks_an_invariant", "test_no_schedule_of_very_many_breaks_an_invariant")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that need both cores are the last ones."""
    items.sort(key=lambda item: _LAST.index(item.name) if item.name in _LAST else -1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where all tests are run, defects are caught from the beginning on."""
    names = {item.name for item in session.items}
    if len(session.items) > _MANY_TESTS and _WAITS in names and not session.config.option.collectonly:
        session.config.stash[_DEFECTS] = Ahead(
            lambda stopped: catch_all(ALL_NAMES, stopped=stopped, giving_way=GIVING_WAY)
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing survives."""
    ahead = config.stash.get(_DEFECTS, None)
    if ahead is not None:
        ahead.stop()
        ahead.join()


@pytest.fixture
def defects_ahead(pytestconfig: pytest.Config) -> Ahead[list[Caught]] | None:
    """What was planted, where it is caught ahead."""
    return pytestconfig.stash.get(_DEFECTS, None)


@pytest.fixture
def findings(pytestconfig: pytest.Config) -> Findings:
    """What this run finds; a test adds to it."""
    return pytestconfig.stash.setdefault(_FINDINGS, Findings())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell it."""
    text = config.stash.get(_FINDINGS, Findings()).text()
    if text:
        terminalreporter.section("simulation")
        terminalreporter.write_line(text)
