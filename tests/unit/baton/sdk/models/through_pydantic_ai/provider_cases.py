"""The providers that the tests ask: three of their own kind, and four that speak like OpenAI."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies as openai
from tests.unit.baton.sdk.models.through_pydantic_ai import other_bodies as other


@dataclass(frozen=True)
class ProviderCase:
    """One provider. `using`: the HTTP client of its library. Tokens are always 100 in (20 of them cached), 10 out.

    Attributes:
        calls: the body of an answer with that text and those calls of tools (name, arguments as JSON text).
        filtered: the body of an answer that the content filter stopped.
        refusal: the body of an error with that status and message.
    """

    model: str
    url: str
    key_variable: str
    calls: Callable[[str, openai.Calls], dict[str, Any]]
    filtered: Callable[[], dict[str, Any]]
    refusal: Callable[[int, str], dict[str, Any]]
    using: str = "httpcore2"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def plain(self, text: str) -> dict[str, Any]:
        """Make the body of an answer that is text."""
        return self.calls(text, ())


OPENAI = ProviderCase(
    model="openai:gpt-5-mini",
    url="https://api.openai.com/v1/responses",
    key_variable="OPENAI_API_KEY",
    calls=openai.response_with,
    filtered=openai.response_filtered,
    refusal=openai.refusal,
)
OPENAI_CHAT = ProviderCase(
    model="openai-chat:gpt-4o-mini",
    url="https://api.openai.com/v1/chat/completions",
    key_variable="OPENAI_API_KEY",
    calls=openai.completion_with,
    filtered=openai.completion_filtered,
    refusal=openai.refusal,
)
OPENROUTER = ProviderCase(
    model="openrouter:openai/gpt-4o-mini",
    url="https://openrouter.ai/api/v1/chat/completions",
    key_variable="OPENROUTER_API_KEY",
    calls=lambda text, calls: openai.completion_with(text, calls) | {"provider": "OpenAI"},
    filtered=lambda: openai.completion_filtered() | {"provider": "OpenAI"},
    refusal=lambda status, message: {"error": {"code": status, "message": message}},
)
GROQ = replace(
    OPENAI_CHAT,
    model="groq:llama-3.3-70b-versatile",
    url="https://api.groq.com/openai/v1/chat/completions",
    key_variable="GROQ_API_KEY",
    using="httpcore",
)
MISTRAL = replace(
    OPENAI_CHAT,
    model="mistral:mistral-small-latest",
    url="https://api.mistral.ai/v1/chat/completions",
    key_variable="MISTRAL_API_KEY",
)
ANTHROPIC = ProviderCase(
    model="anthropic:claude-sonnet-5",
    url="https://api.anthropic.com/v1/messages",
    key_variable="ANTHROPIC_API_KEY",
    calls=other.message_with,
    filtered=other.message_filtered,
    refusal=other.message_refusal,
    settings={"max_tokens": 1024},  # with more, the library streams, although it gives the answer in one piece
)
GOOGLE = ProviderCase(
    model="google:gemini-2.5-flash",
    url="https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
    key_variable="GOOGLE_API_KEY",
    calls=other.gemini_with,
    filtered=other.gemini_filtered,
    refusal=other.gemini_refusal,
)

PROVIDERS = (OPENAI, OPENAI_CHAT, OPENROUTER, GROQ, MISTRAL, ANTHROPIC, GOOGLE)
KEY = "sk-secret-0123456789abcdef"
