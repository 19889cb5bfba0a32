"""How many bytes may be told: the policy's tokens, turned into bytes without a tokenizer.

A token is taken for four bytes of JSON, rounded up: near for English, too few tokens for code, CJK and base64. So the
estimate is corrected by what the newest turn that has both counters was thought to take and took. Pure.
"""

from typing import Any

from baton.conversation.conversation import size_bytes
from baton.models.model import ToolSpec
from baton.ports import History

BYTES_PER_TOKEN = 4
# A provider may count what it was not told here (its own tools, images): no correction beyond this.
_LEAST_RATIO, _MOST_RATIO = 0.5, 4.0


def tokens_of(size: int) -> int:
    """Bytes as estimated tokens."""
    return -(-size // BYTES_PER_TOKEN)


def fixed_bytes(instructions: str, tools: tuple[ToolSpec, ...]) -> int:
    """What is told in every turn besides the conversation."""
    told: list[Any] = [[tool.name, tool.description, tool.parameters] for tool in tools]
    return size_bytes([instructions, told])


def correction(history: History) -> float:
    """How many tokens a token of the estimate turned out to be; 1 while nobody knows."""
    for entry in reversed(history.transcript):
        noted = entry.get("tokens") or {}
        if noted.get("estimated") and noted.get("input"):
            return min(_MOST_RATIO, max(_LEAST_RATIO, int(noted["input"]) / int(noted["estimated"])))
    return 1.0


def room_bytes(max_tokens: int, history: History, fixed: int) -> int:
    """How many bytes the conversation may have."""
    return max(0, int(max_tokens * BYTES_PER_TOKEN / correction(history)) - fixed)
