"""`agent.tool.call`: run one tool call. Never goes into a model turn, so it stays free of model libraries."""

from events.core.legs import LegKind
from events.schema import EventType
from functions.entry import LazyApp, lambda_handler
from functions.spec import event_spec
from functions.tool_work import tool_work

CONTINUES = frozenset(LegKind) - {LegKind.LOOP, LegKind.REMEMBER}
SPEC = event_spec("tool-executor", EventType.TOOL_CALL, CONTINUES, tool_work)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = lambda_handler(app)
