"""Below the tests stands what the simulation has found: pytest shows nothing that a passing test prints."""

import pytest

from tests.simulation.findings import Findings

_FINDINGS = pytest.StashKey[Findings]()


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
