"""An agent's settings for its model: `model_settings={"temperature": 0.2, …}`.

Invariant: settings that pass are plain JSON under names that pydantic-ai knows, so that they can be compared, hashed
and sent. The names of all providers' settings are checked here, settings of one provider (`openai_reasoning_effort`)
by that provider. Must not: import pydantic-ai; a test holds the names to it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from baton.sdk.models.catalog import PROVIDER_NAMES
from baton.sdk.records.limits import MOST, is_number, is_whole
from baton_events.ids import canonical_json

SETTING_NAMES = frozenset(
    {
        "cache",
        "citations",
        "extra_body",
        "extra_headers",
        "frequency_penalty",
        "logit_bias",
        "max_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "seed",
        "service_tier",
        "stop_sequences",
        "temperature",
        "thinking",
        "timeout",
        "top_k",
        "top_p",
    }
)

# Settings of pydantic-ai that an agent may not set, each with its replacement.
REFUSED_NAMES = {
    "request_timeout": "use 'timeout': the seconds of one call",
    "first_event_timeout": "use 'timeout': the seconds of one call",
    "max_retries": "use Agent(model_retries=...): tries are delayed events, which survive a crash",
    "tool_choice": "an agent whose model must always call a tool would never end",
    "framing_announcement": "nothing here is framed",
}

_PREFIXES = tuple(sorted({f"{name.replace('-', '_')}_" for name in PROVIDER_NAMES} | {"openai_"}))
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_COUNTS = ("max_tokens", "top_k")


def setting_faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults of an agent's model settings, one line each."""
    for name, value in settings.items():
        if name in REFUSED_NAMES:
            yield f"model_settings has {name!r}; {REFUSED_NAMES[name]}"
        elif name not in SETTING_NAMES and not name.startswith(_PREFIXES):
            known = ", ".join(sorted(SETTING_NAMES))
            yield f"model_settings has {name!r}, which no provider knows; there are: {known}, and 'PROVIDER_...' ones"
        elif fault := _value_fault(name, value):
            yield f"model_settings has {name}={value!r}; {fault}"


def _value_fault(name: str, value: Any) -> str | None:
    if name in _COUNTS and (not is_whole(value) or value < 1):
        return f"it is a whole number from 1 to {MOST}"
    if name == "timeout" and not (is_number(value) and value > 0):
        return f"it is more than 0 seconds, and at most {MOST}"
    if name in _NUMBERS:
        low, high = _NUMBERS[name]
        if not is_number(value) or not low <= value <= high:
            return f"it is a number from {low:g} to {high:g}"
    try:
        canonical_json(value)
    except (TypeError, ValueError) as error:
        return f"it must be JSON: {error}"
    return None
