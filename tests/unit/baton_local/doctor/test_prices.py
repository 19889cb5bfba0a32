"""The doctor names budgets in dollars that no call ever fills."""

from pathlib import Path

import pytest

from baton.settings.settings import read_settings
from baton_local.doctor.checkup import check_budgets
from baton_local.doctor.finding import Level

AGENTS = """
from baton import Agent, Budget, Registry

registry = Registry(
    [
        Agent("listed", "openai:gpt-5-mini", budgets=[Budget("k", usd=5)]),
        Agent("unlisted", "openai:a-model-of-tomorrow", budgets=[Budget("k", usd=5)]),
        Agent("counted", "openai:a-model-of-tomorrow", budgets=[Budget("k", tokens=5)]),
    ]
)
"""


def test_an_agent_whose_model_has_no_price_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "priced_agents.py").write_text(AGENTS)
    monkeypatch.chdir(tmp_path)
    (found,) = check_budgets(read_settings({"BATON_APP": "priced_agents:registry"}))
    assert (found.level, found.way_out) == (Level.WARNING, "give it tokens")
    assert found.text.startswith(
        "agent 'unlisted' has a budget in dollars, and openai:a-model-of-tomorrow no list price"
    )


@pytest.mark.parametrize("app", ["", "agents_that_are_elsewhere:registry"])
def test_agents_that_are_not_here_are_left_to_dev_and_check(app: str) -> None:
    assert check_budgets(read_settings({"BATON_APP": app} if app else {})) == []
