"""Bytes of commands and answers, as scripts and the local bridge count them."""

import pytest

from baton.transport.redis_rest import answer_bytes, command_bytes


def test_a_command_weighs_its_arguments() -> None:
    """Without its name; numbers as they are sent, texts in UTF-8."""
    assert command_bytes(["HSET", "key", "f", "é", 12]) == 3 + 1 + 2 + 2


@pytest.mark.parametrize(
    ("answer", "size_bytes"), [("é", 2), (["a", 12, None, ["bc"]], 3), ({"a": "bc"}, 3), (7, 0), (None, 0), (True, 0)]
)
def test_an_answer_weighs_its_texts(answer: object, size_bytes: int) -> None:
    """However deep they are."""
    assert answer_bytes(answer) == size_bytes
