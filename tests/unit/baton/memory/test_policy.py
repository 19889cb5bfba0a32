"""What an agent may say about its memory."""

from typing import Any

import pytest

from baton.memory.policy import Memory, memory_of


@pytest.mark.parametrize(
    "fault",
    [{"recent": 11}, {"recent": -1}, {"similar": 51}, {"similar": True}, {"minimum_score": 1.5}, {"scope": "world"}],
)
def test_a_policy_that_means_nothing_is_refused(fault: dict[str, Any]) -> None:
    [(name, value)] = fault.items()
    with pytest.raises(ValueError, match=rf"Memory\({name}={value!r}\)"):
        Memory(**fault)


def test_true_means_the_defaults() -> None:
    policy = Memory(recent=3)
    assert [memory_of(value) for value in (True, False, None, policy)] == [Memory(), None, None, policy]


def test_anything_else_is_refused() -> None:
    wrong: Any = "yes"
    with pytest.raises(TypeError, match=r"Memory\(\.\.\.\), True or False, got 'yes'"):
        memory_of(wrong)
