"""What each provider takes and says, where that differs: one table, and the source of each line.

Invariant: the first three families are those that Baton knows the rules of. A server of another family is held to the
rules of OpenAI's, whose protocol most of them speak. Must not: import a provider's library.
"""

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
        nests: whether a schema may refer to itself.
        enums: whether values in an `enum` may be other than texts and numbers.
    """

    formats: frozenset[str]
    nests: bool = True
    enums: bool = True


OPENAI = ProviderRules(_FORMATS)
ANTHROPIC = ProviderRules(_FORMATS | {"uri"})
# ai.google.dev/gemini-api/docs/structured-output#json_schema_support, and "only 'enum' and 'date-time' are supported
# for STRING type"; references to itself "may only be used within non-required properties".
GOOGLE = ProviderRules(frozenset({"date-time", "float", "double", "int32", "int64"}), nests=False, enums=False)
_BY_WORD = {"anthropic": ANTHROPIC, "claude": ANTHROPIC, "google": GOOGLE, "gemini": GOOGLE}


def rules_of(provider: str, model: str = "") -> ProviderRules:
    """Return the rules of a provider's model; behind a gateway, the model's name tells its family."""
    named = f"{provider}:{model}".lower()
    return next((rules for word, rules in _BY_WORD.items() if word in named), OPENAI)


def strictest(rules: tuple[ProviderRules, ...]) -> ProviderRules:
    """Return rules that all of these models take."""
    first, *others = rules or (OPENAI,)
    for one in others:
        first = ProviderRules(first.formats & one.formats, first.nests and one.nests, first.enums and one.enums)
    return first
