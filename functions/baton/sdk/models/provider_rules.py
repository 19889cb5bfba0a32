"""What each provider takes and says, where that differs: one table, and the source of each line.

Invariant: the first three families are those that Baton knows the rules of. A server of another family is held to the
rules of OpenAI's, whose protocol most of them speak. A reason for the end of an answer that stands in no line here
means that the answer is broken: `error`, `OTHER`, `MALFORMED_FUNCTION_CALL`, and each new one. Must not: import a
provider's library.
"""

from typing import Literal, NamedTuple

from msgspec import Struct

# Words that no provider has at the top of a tool's schema. OpenAI: "must have type 'object' and not have 'oneOf'/
# 'anyOf'/'allOf'/'enum'/'not' at the top level". Anthropic: "input_schema does not support oneOf, allOf, or anyOf at
# the top level". Google's list of words (ai.google.dev/api/caching#FunctionDeclaration) has none of the others.
NOT_AT_TOP = (
    *("oneOf", "anyOf", "allOf", "not", "enum", "const", "if", "then", "else"),
    *("dependentSchemas", "dependentRequired", "dependencies"),
)
# Names of properties. Anthropic: "Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'"; the others take those.
PROPERTY_NAME_CHARS, PROPERTY_NAMES = 64, r"[A-Za-z0-9_.-]{1,64}"
# Formats of texts. OpenAI: developers.openai.com/api/docs/guides/structured-outputs#supported-schemas. Anthropic:
# platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations.
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})


class ProviderRules(Struct, frozen=True):
    """The rules of one family of models.

    Attributes:
        formats: the formats of texts and numbers that a tool's schema may name.
        picture_tokens: what a picture takes at most.
        page_tokens: what a page of a document takes.
        audio_tokens: what a second of sound takes.
        nests: whether a schema may refer to itself.
        enums: whether values in an `enum` may be other than texts and numbers.
    """

    formats: frozenset[str]
    picture_tokens: int
    page_tokens: int
    audio_tokens: int
    nests: bool = True
    enums: bool = True


# What files take. A picture counts as the largest one, since its size is not recorded.
# - OpenAI has 1,536 patches at most (developers.openai.com/api/docs/guides/images-vision#calculating-costs).
# - Anthropic says "approximately 1,600 tokens" and, of a page, "1,500-3,000 tokens" (platform.claude.com/docs/en/build-
#   with-claude/vision, and pdf-support beside it).
# - Google says 1,120 for a picture, 560 for a page and 32 for a second of sound (ai.google.dev/gemini-api/docs/
#   media-resolution, and audio beside it).
OPENAI = ProviderRules(_FORMATS, picture_tokens=1_536, page_tokens=2_000, audio_tokens=10)
ANTHROPIC = ProviderRules(_FORMATS | {"uri"}, picture_tokens=1_600, page_tokens=3_000, audio_tokens=32)
# ai.google.dev/gemini-api/docs/structured-output#json_schema_support, and "only 'enum' and 'date-time' are supported
# for STRING type"; references to itself "may only be used within non-required properties".
_GOOGLE_FORMATS = frozenset({"date-time", "float", "double", "int32", "int64"})
GOOGLE = ProviderRules(_GOOGLE_FORMATS, 1_120, 560, 32, nests=False, enums=False)
_BY_WORD = {"anthropic": ANTHROPIC, "claude": ANTHROPIC, "google": GOOGLE, "gemini": GOOGLE}


def rules_of(provider: str, model: str = "") -> ProviderRules:
    """Return the rules of a provider's model; behind a gateway, the model's name tells its family."""
    named = f"{provider}:{model}".lower()
    return next((rules for word, rules in _BY_WORD.items() if word in named), OPENAI)


def strictest(rules: tuple[ProviderRules, ...]) -> ProviderRules:
    """Return rules that all of these models take."""
    first, *others = rules or (OPENAI,)
    for one in others:
        first = ProviderRules(
            first.formats & one.formats,
            max(first.picture_tokens, one.picture_tokens),
            max(first.page_tokens, one.page_tokens),
            max(first.audio_tokens, one.audio_tokens),
            first.nests and one.nests,
            first.enums and one.enums,
        )
    return first


# Of what is not known before it is sent: bytes of a page, of a second of sound and of video, and of a token of text.
_PAGE_BYTES, _SOUND_BYTES, _VIDEO_BYTES, _TEXT_BYTES = 100_000, 16_000, 250_000, 4
# A second of video has a frame: 258 for Google's, ai.google.dev/gemini-api/docs/video-understanding.
_FRAME_TOKENS = 258
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml")


def file_tokens(rules: ProviderRules, media_type: str, size_bytes: int) -> int:
    """Return what a file takes of a model's window, by its provider's rule; `size_bytes` 0: not known."""
    if media_type.startswith("image/"):
        return rules.picture_tokens
    if media_type.startswith(_TEXTS):
        return 1 + size_bytes // _TEXT_BYTES
    if media_type.startswith("audio/"):
        return rules.audio_tokens * (1 + size_bytes // _SOUND_BYTES)
    if media_type.startswith("video/"):
        return (_FRAME_TOKENS + rules.audio_tokens) * (1 + size_bytes // _VIDEO_BYTES)
    return rules.page_tokens * (1 + size_bytes // _PAGE_BYTES)


# How an answer has ended: whole, cut off by its length, stopped by a filter, or broken.
Meaning = Literal["stop", "length", "content_filter", "error"]


class Reasons(NamedTuple):
    """The words by which one provider says why an answer has ended, in small letters. `source`: where it lists them."""

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

_KINDS: tuple[tuple[str, Meaning], ...] = (("whole", "stop"), ("cut", "length"), ("filtered", "content_filter"))
_MEANINGS: dict[str, Meaning] = {
    word: reason for one in REASONS for kind, reason in _KINDS for word in getattr(one, kind)
}


def meaning_of(word: object) -> Meaning:
    """Return what a provider's word means: `stop`, `length` or `content_filter`; any other is an `error`.

    Some put a detail behind it: `content_filter: PROHIBITED_CONTENT`.
    """
    return _MEANINGS.get(str(word).partition(":")[0].strip().lower(), "error")
