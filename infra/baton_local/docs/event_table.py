"""The table of events in docs/reference/events.md, from the wire schema and the functions' SPECs and docstrings.

Invariant: each SPEC that the application mounts has exactly one module here; otherwise making the table fails.
"""

from types import ModuleType

from baton.app import SPECS
from baton.configuration.settings import Settings
from baton.runtime.spec import Spec
from baton.webhooks import agent_loop, delivery_failed, sweep, tool_executor, tool_result_complete, tool_result_failed
from baton_events.schema import EventType
from baton_local.docs.markdown_table import markdown_table

_MODULES = (agent_loop, tool_executor, tool_result_complete, tool_result_failed, delivery_failed, sweep)


def event_table() -> str:
    """Return one row an endpoint that the queue delivers to, events first."""
    if [module.SPEC for module in _MODULES] != list(SPECS):
        raise ValueError(
            "baton_local/docs/event_table.py and baton/app.py name different functions: add the missing one"
        )
    return markdown_table(
        ["event", "topic", "endpoint", "function", "what it does"],
        (_row(module, spec) for module, spec in zip(_MODULES, SPECS, strict=True)),
    )


def _row(module: ModuleType, spec: Spec) -> list[str]:
    event, topic = "", ""
    if spec.event_type is not None:
        event, topic = f"`{spec.event_type}`", f"`{Settings().topic(EventType(spec.event_type))}`"
    file = f"`functions/{module.__name__.replace('.', '/')}.py`"
    return [event, topic, f"`{spec.path}`", file, _summary(module)]


def _summary(module: ModuleType) -> str:
    """Return the first sentence of the function's docstring, without the event's name in front."""
    sentence = (module.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".")
    return sentence.partition("`: ")[2] or sentence
