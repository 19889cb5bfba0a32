"""Below the tests stands what the simulation has found: pytest shows nothing that a passing test prints."""

import os
from typing import Any

import pytest

from tests.simulation.findings import Findings
from tests.simulation.volume import Batch, fresh, present_commit

_FINDINGS = pytest.StashKey[Findings]()
# What the workers have found, as text: one of them plays the schedules while another plants the defects.
_TEXTS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def fresh_batch() -> Batch:
    return fresh(os.environ, present_commit())  # noqa: TID251 - a person's shell says which seeds to repeat


@pytest.fixture
def findings(pytestconfig: pytest.Config) -> Findings:
    return pytestconfig.stash.setdefault(_FINDINGS, Findings())


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, object] = getattr(session.config, "workeroutput", {})
    output["findings"] = session.config.stash.get(_FINDINGS, Findings()).text()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash.setdefault(_TEXTS, []).append(getattr(node, "workeroutput", {}).get("findings", ""))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = [config.stash.get(_FINDINGS, Findings()).text(), *config.stash.get(_TEXTS, [])]
    for text in filter(None, found):
        terminalreporter.section("simulation")
        terminalreporter.write_line(text)
