"""What an agent may say about how its model answers."""

import re
from typing import Any

import pytest
from pydantic_ai.settings import ModelSettings

from baton.sdk.models.model_settings import REFUSED_NAMES, SETTING_NAMES, setting_faults


def test_the_names_are_those_of_the_library() -> None:
    known = set(ModelSettings.__annotations__)
    assert known == SETTING_NAMES | set(REFUSED_NAMES)
    assert not SETTING_NAMES & set(REFUSED_NAMES)


def test_usual_settings_pass() -> None:
    """As do those of one provider, which checks them itself."""
    settings = {
        "temperature": 0.2,
        "max_tokens": 2_000,
        "top_p": 1,
        "stop_sequences": ["END"],
        "thinking": "high",
        "openai_reasoning_effort": "low",
        "anthropic_thinking": {"type": "enabled", "budget_tokens": 1024},
        "extra_headers": {"x-a": "b"},
    }
    assert list(setting_faults(settings)) == []


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("temprature", 1, "which no provider knows"),
        ("request_timeout", 5, "use 'timeout'"),
        ("timeout", "5", "more than 0 seconds"),
        ("tool_choice", "required", "would never end"),
        ("temperature", 3, "a number from 0 to 2"),
        ("temperature", True, "a number from 0 to 2"),
        ("max_tokens", 1.5, "a whole number from 1"),
        ("top_p", float("nan"), "a number from 0 to 1"),
        ("extra_body", {"a": {1}}, "it must be JSON"),
        ("extra_body", {"a": float("inf")}, "it must be JSON"),
    ],
)
def test_what_cannot_be_meant_is_a_fault(name: str, value: Any, shown: str) -> None:
    (fault,) = setting_faults({name: value})
    assert name in fault
    assert re.search(shown, fault)


def test_all_faults_are_reported() -> None:
    """So that they are corrected in one go."""
    assert len(list(setting_faults({"x": 1, "y": 2, "top_k": 0}))) == 3
