"""Below the tests stands what the simulation has found: pytest shows nothing that a passing test prints."""

import os
from collections.abc import Callable

import pytest

from tests.simulation.ahead import GIVING_WAY, Ahead, Stopped
from tests.simulation.defects import ALL_NAMES, Caught, catch_each
from tests.simulation.explore import explore
from tests.simulation.findings import Findings
from tests.simulation.play import Summary
from tests.simulation.volume import FIXED, LIMIT, Batch, fresh, present_commit

_FINDINGS = pytest.StashKey[Findings]()
_FIXED = pytest.StashKey[Ahead[Summary] | None]()
_FRESH = pytest.StashKey[Ahead[Summary] | None]()
_FRESH_BATCH = pytest.StashKey[Batch]()
_DEFECTS = pytest.StashKey[Ahead[list[Caught]] | None]()
_WAITS = (
    "test_every_planted_defect_is_caught",
    "test_no_schedule_of_very_many_breaks_an_invariant",
    "test_no_fresh_schedule_breaks_an_invariant",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that wait for what is done ahead are the last ones."""
    items.sort(key=lambda item: item.name in _WAITS)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where others wait for stacks, defects are caught and the many schedules are played from the beginning on.

    Not by one of several workers: each would.
    """
    names = {item.name for item in session.items}
    stacks = any(item.get_closest_marker("e2e") for item in session.items)
    alone = not hasattr(session.config, "workerinput") and not session.config.option.collectonly
    if stacks and alone and names.issuperset(_WAITS):
        defects = Ahead(lambda stopped: list(catch_each(ALL_NAMES, stopped=stopped, giving_way=GIVING_WAY)))
        session.config.stash[_DEFECTS] = defects
        session.config.stash[_FIXED] = fixed = Ahead(_playing(FIXED), after=defects)
        session.config.stash[_FRESH] = Ahead(_playing(_fresh(session.config)), after=fixed)


def _playing(batch: Batch) -> Callable[[Stopped], Summary]:
    def play(stopped: Stopped) -> Summary:
        return explore(batch.schedules, batch.seed, most=LIMIT, stopped=stopped, giving_way=GIVING_WAY)

    return play


def _fresh(config: pytest.Config) -> Batch:
    """Decide once for a run, which may last past midnight."""
    batch = fresh(os.environ, present_commit())  # noqa: TID251 - a person's shell says which seeds to repeat
    return config.stash.setdefault(_FRESH_BATCH, batch)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing survives."""
    claim_result = [config.stash.get(_DEFECTS, None), config.stash.get(_FIXED, None), config.stash.get(_FRESH, None)]
    for ahead in filter(None, claim_result):
        ahead.stop()
    for ahead in filter(None, claim_result):
        ahead.join()


@pytest.fixture
def fixed_ahead(pytestconfig: pytest.Config) -> Ahead[Summary] | None:
    """The many fixed schedules, where they are played ahead."""
    return pytestconfig.stash.get(_FIXED, None)


@pytest.fixture
def fresh_batch(pytestconfig: pytest.Config) -> Batch:
    """Which schedules are the fresh ones of this run."""
    return _fresh(pytestconfig)


@pytest.fixture
def fresh_ahead(pytestconfig: pytest.Config) -> Ahead[Summary] | None:
    """The fresh schedules, where they are played ahead."""
    return pytestconfig.stash.get(_FRESH, None)


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
