"""The reasons for which a provider ends an answer: whole, cut off by its length, or stopped by a filter.

Gateways pass the words of any provider on, so a word is looked up whoever has said it. Invariant: a reason that stands
in no line here means that the answer is broken: `error`, `OTHER`, `MALFORMED_FUNCTION_CALL`, and each new one.
"""

from typing import NamedTuple

from pydantic_ai.messages import FinishReason


class Reasons(NamedTuple):
    """One provider's words, in small letters. `source`: where it lists them."""

    provider: str
    source: str
    whole: tuple[str, ...]
    cut: tuple[str, ...]
    filtered: tuple[str, ...] = ()


REASONS = (
    Reasons(
        "OpenAI, Chat Completions",
        "platform.openai.com/docs/api-reference/chat/object",
        ("stop", "tool_calls", "function_call"),
        ("length",),
        ("content_filter",),
    ),
    Reasons(
        "OpenAI, Responses",
        "platform.openai.com/docs/api-reference/responses/object",
        ("completed",),
        ("max_output_tokens",),
        ("content_filter",),
    ),
    Reasons(
        "Anthropic",
        "docs.anthropic.com/en/api/handling-stop-reasons",
        ("end_turn", "stop_sequence", "tool_use", "compaction"),
        ("max_tokens", "model_context_window_exceeded"),
        ("refusal",),
    ),
    Reasons(
        "Google",
        "ai.google.dev/api/generate-content#FinishReason",
        ("stop",),
        ("max_tokens", "continuation"),
        (
            *("safety", "recitation", "blocklist", "prohibited_content", "spii", "model_armor"),
            *("image_safety", "image_prohibited_content", "image_recitation"),
        ),
    ),
    Reasons(
        "Bedrock",
        "docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        ("end_turn", "stop_sequence", "tool_use"),
        ("max_tokens", "model_context_window_exceeded"),
        ("guardrail_intervened", "content_filtered"),
    ),
    Reasons("Mistral", "docs.mistral.ai/api/#tag/chat", ("stop", "tool_calls"), ("length", "model_length")),
    Reasons("Cohere", "docs.cohere.com/reference/chat", ("complete", "stop_sequence", "tool_call"), ("max_tokens",)),
    Reasons(
        "Z.AI",
        "docs.z.ai/api-reference/llm/chat-completion",
        ("stop", "tool_calls"),
        ("length", "model_context_window_exceeded"),
        ("sensitive",),
    ),
    Reasons(
        "Hugging Face",
        "huggingface.co/docs/text-generation-inference/reference/api_reference",
        ("stop", "eos_token", "stop_sequence", "tool_calls"),
        ("length",),
    ),
    Reasons("Together", "docs.together.ai/reference/chat-completions-1", ("stop", "eos", "tool_calls"), ("length",)),
    Reasons(
        "watsonx",
        "cloud.ibm.com/apidocs/watsonx-ai#text-generation",
        ("eos_token", "stop_sequence"),
        ("max_tokens", "token_limit"),
    ),
)

_KINDS: tuple[tuple[str, FinishReason], ...] = (("whole", "stop"), ("cut", "length"), ("filtered", "content_filter"))
_MEANINGS: dict[str, FinishReason] = {
    word: reason for one in REASONS for kind, reason in _KINDS for word in getattr(one, kind)
}


def meaning_of(word: object) -> FinishReason:
    """Return what a provider's word means: `stop`, `length` or `content_filter`; any other is an `error`.

    Some put a detail behind it: `content_filter: PROHIBITED_CONTENT`.
    """
    return _MEANINGS.get(str(word).partition(":")[0].strip().lower(), "error")
