"""Below the tests stands what the simulation has found: pytest shows nothing that a passing test prints."""

import pytest

from tests.simulation.ahead import GIVING_WAY, Ahead, Stopped
from tests.simulation.defects import ALL_NAMES, Caught, catch_all
from tests.simulation.explore import explore
from tests.simulation.findings import Findings
from tests.simulation.play import Summary
from tests.simulation.volume import BASE_SEED, FIRST_SCHEDULES, MOST, SCHEDULES

_FINDINGS = pytest.StashKey[Findings]()
_SCHEDULES = pytest.StashKey[Ahead[Summary] | None]()
_DEFECTS = pytest.StashKey[Ahead[list[Caught]] | None]()
# Of so many tests there are enough that wait.
_MANY_TESTS = 2_000
_WAITS = ("test_every_planted_defect_is_caught", "test_no_schedule_of_very_many_breaks_an_invariant")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that wait for what is done ahead are the last ones."""
    items.sort(key=lambda item: item.name in _WAITS)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where all tests are run, defects are caught and the many schedules are played from the beginning on."""
    names = {item.name for item in session.items}
    if len(session.items) > _MANY_TESTS and names.issuperset(_WAITS) and not session.config.option.collectonly:
        defects = Ahead(lambda stopped: catch_all(ALL_NAMES, stopped=stopped, giving_way=GIVING_WAY))
        session.config.stash[_DEFECTS] = defects
        session.config.stash[_SCHEDULES] = Ahead(_play_many, after=defects)


def _play_many(stopped: Stopped) -> Summary:
    first, most = BASE_SEED + FIRST_SCHEDULES, SCHEDULES - FIRST_SCHEDULES
    return explore(most, first, most=MOST, stopped=stopped, giving_way=GIVING_WAY)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing survives."""
    begun = [ahead for ahead in (config.stash.get(_DEFECTS, None), config.stash.get(_SCHEDULES, None)) if ahead]
    for ahead in begun:
        ahead.stop()
    for ahead in begun:
        ahead.join()


@pytest.fixture
def schedules_ahead(pytestconfig: pytest.Config) -> Ahead[Summary] | None:
    """The many schedules, where they are played ahead."""
    return pytestconfig.stash.get(_SCHEDULES, None)


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
