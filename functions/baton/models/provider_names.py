"""Which names `provider:model` can be a model, as far as that is known without the providers' libraries.

Invariant: the list is the one of the pydantic-ai that is locked; a test compares them. Must not: import pydantic-ai,
which costs a second that only the function that calls models may spend.
"""

GATEWAY = "gateway/"  # Pydantic's gateway in front of a provider: gateway/openai:gpt-5

PROVIDER_NAMES = frozenset(
    {
        "alibaba",
        "anthropic",
        "azure",
        "azure-responses",
        "bedrock",
        "bedrock-mantle",
        "cerebras",
        "cohere",
        "crusoe",
        "deepseek",
        "fireworks",
        "github",
        "github-copilot",
        "google",
        "google-cloud",
        "google-decisions",
        "groq",
        "heroku",
        "huggingface",
        "litellm",
        "meta",
        "mistral",
        "moonshotai",
        "nebius",
        "ollama",
        "openai",
        "openai-chat",
        "openai-chatgpt",
        "openai-codex",
        "openai-decisions",
        "openai-responses",
        "openrouter",
        "ovhcloud",
        "sambanova",
        "snowflake",
        "system-one",
        "together",
        "typesafe",
        "vercel",
        "vllm",
        "xai",
        "zai",
    }
)


def name_fault(name: str) -> str | None:
    """What is wrong with a name of the form `provider:model`; None: nothing that can be known here."""
    provider, _, model = name.partition(":")
    if provider.removeprefix(GATEWAY) not in PROVIDER_NAMES:
        from difflib import get_close_matches  # noqa: PLC0415 - only where a name is wrong

        close = get_close_matches(provider, PROVIDER_NAMES, n=1)
        hint = f"did you mean '{close[0]}:{model}'?" if close else f"there are: {', '.join(sorted(PROVIDER_NAMES))}"
        return f"there is no provider {provider!r}; {hint}"
    if not model.strip():
        return f"the model's name is missing; write '{provider}:' and the name under which the provider knows it"
    return None
