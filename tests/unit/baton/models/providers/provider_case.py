"""What a provider's API answers, in the shapes that its reference documents, and under which names we use it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class ProviderCase:
    """One provider. `using`: the HTTP client of its library. Tokens are always 100 in (20 of them cached), 10 out.

    Attributes:
        plain: the body of an answer that is text.
        calls: the body of an answer with that text and those calls of tools (name, arguments as JSON text).
        filtered: the body of an answer that the content filter stopped.
        refusal: the body of an error with that status and message.
    """

    model: str
    url: str
    key_variable: str
    plain: Callable[[str], Body]
    calls: Callable[[str, list[tuple[str, str]]], Body]
    filtered: Callable[[], Body]
    refusal: Callable[[int, str], Body]
    using: str = "httpcore2"
    settings: Mapping[str, Any] = field(default_factory=dict)
