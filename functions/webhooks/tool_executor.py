"""`agent.tool.call`: run one tool call. Never goes into a model turn, so it stays free of model libraries."""

from events.core.legs import LegKind
from events.schema import EventType
from functions.entry import LazyApp, lambda_handler
from functions.spec import event_spec

SPEC = event_spec("tool-executor", EventType.TOOL_CALL, frozenset(LegKind) - {LegKind.LOOP, LegKind.REMEMBER})
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = lambda_handler(app)
