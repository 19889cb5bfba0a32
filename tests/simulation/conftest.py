"""Below the tests stands what the simulation has found: pytest shows nothing that a passing test prints."""

import pytest

from tests.simulation.ahead import GIVING_WAY, Ahead
from tests.simulation.explore import explore
from tests.simulation.findings import Findings
from tests.simulation.volume import BASE_SEED, FIRST_SCHEDULES, MOST, SCHEDULES

_FINDINGS = pytest.StashKey[Findings]()
_AHEAD = pytest.StashKey[Ahead | None]()
# Of so many tests there are enough that wait.
_MANY_TESTS = 2_000


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where all tests are run, the many schedules are played from the beginning on."""
    many = any(item.name == "test_no_schedule_of_very_many_breaks_an_invariant" for item in session.items)
    if many and len(session.items) > _MANY_TESTS and not session.config.option.collectonly:
        session.config.stash[_AHEAD] = Ahead(
            lambda stopped: explore(
                SCHEDULES - FIRST_SCHEDULES,
                BASE_SEED + FIRST_SCHEDULES,
                most=MOST,
                stopped=stopped,
                giving_way=GIVING_WAY,
            )
        )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing survives."""
    ahead = config.stash.get(_AHEAD, None)
    if ahead is not None:
        ahead.stop()


@pytest.fixture
def ahead(pytestconfig: pytest.Config) -> Ahead | None:
    """What is played ahead; None: nothing is."""
    return pytestconfig.stash.get(_AHEAD, None)


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
