"""What OpenTelemetry's conventions for generative AI ask of the spans that Baton has, as a table.

Written after `model/gen-ai/spans.yaml` and `registry.yaml` of github.com/open-telemetry/semantic-conventions-genai
(Apache-2.0) at commit 002c8a6ea1c8a42b14a4527db83b3cabcded610a. A test compares names and values with the package
opentelemetry-semantic-conventions.
"""

from collections.abc import Mapping

from msgspec import Struct

TEXT, WHOLE, REAL, FLAG, TEXTS = str, int, float, bool, tuple

# Of a whole request; an agent's run has them, too.
_REQUEST: Mapping[str, type] = {
    "gen_ai.operation.name": TEXT,
    "gen_ai.provider.name": TEXT,
    "gen_ai.request.model": TEXT,
    "gen_ai.conversation.id": TEXT,
    "gen_ai.output.type": TEXT,
    "gen_ai.request.max_tokens": WHOLE,
    "gen_ai.request.temperature": REAL,
    "gen_ai.request.top_p": REAL,
    "gen_ai.request.stop_sequences": TEXTS,
    "gen_ai.request.frequency_penalty": REAL,
    "gen_ai.request.presence_penalty": REAL,
    "gen_ai.request.seed": WHOLE,
    "gen_ai.response.finish_reasons": TEXTS,
    "gen_ai.usage.input_tokens": WHOLE,
    "gen_ai.usage.output_tokens": WHOLE,
    "gen_ai.usage.cache_read.input_tokens": WHOLE,
    "gen_ai.usage.cache_creation.input_tokens": WHOLE,
    "error.type": TEXT,
}
_SAID: Mapping[str, type] = {
    "gen_ai.input.messages": TEXT,
    "gen_ai.output.messages": TEXT,
    "gen_ai.system_instructions": TEXT,
    "gen_ai.tool.definitions": TEXT,
}


class Convention(Struct, frozen=True):
    """What a span of one operation is.

    `subject`: the attribute that its name ends with. `required`: always there. `content`: only where a deployment asks
    for what was said.
    """

    kind: str
    subject: str
    required: frozenset[str]
    attributes: Mapping[str, type]
    content: Mapping[str, type]


CONVENTIONS: Mapping[str, Convention] = {
    "invoke_agent": Convention(
        kind="INTERNAL",
        subject="gen_ai.agent.name",
        required=frozenset({"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.agent.name"}),
        attributes={**_REQUEST, "gen_ai.agent.name": TEXT, "gen_ai.agent.description": TEXT},
        content=_SAID,
    ),
    "chat": Convention(
        kind="CLIENT",
        subject="gen_ai.request.model",
        required=frozenset({"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"}),
        attributes={
            **_REQUEST,
            "gen_ai.request.top_k": REAL,
            "gen_ai.request.stream": FLAG,
            "gen_ai.response.id": TEXT,
            "gen_ai.response.model": TEXT,
            "gen_ai.response.time_to_first_chunk": REAL,
            "gen_ai.usage.reasoning.output_tokens": WHOLE,
            "server.address": TEXT,
            "server.port": WHOLE,
        },
        content=_SAID,
    ),
    "execute_tool": Convention(
        kind="INTERNAL",
        subject="gen_ai.tool.name",
        required=frozenset({"gen_ai.operation.name", "gen_ai.tool.name"}),
        attributes={
            "gen_ai.operation.name": TEXT,
            "gen_ai.tool.name": TEXT,
            "gen_ai.tool.call.id": TEXT,
            "gen_ai.tool.type": TEXT,
            "gen_ai.tool.description": TEXT,
            "error.type": TEXT,
        },
        content={"gen_ai.tool.call.arguments": TEXT, "gen_ai.tool.call.result": TEXT},
    ),
    "plan": Convention(
        kind="INTERNAL",
        subject="gen_ai.agent.name",
        # The conventions have neither provider nor conversation here; whoever looks for a conversation needs both.
        required=frozenset({"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.conversation.id"}),
        attributes={
            "gen_ai.operation.name": TEXT,
            "gen_ai.agent.name": TEXT,
            "gen_ai.provider.name": TEXT,
            "gen_ai.conversation.id": TEXT,
            "error.type": TEXT,
        },
        content={},
    ),
}

# In the conventions since, and in no package yet.
NEWER_VALUES = frozenset({"plan", "moonshot_ai"})
