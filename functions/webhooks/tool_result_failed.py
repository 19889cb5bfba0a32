"""`tool.execution.failed`: retry the call, or give the model the error."""

from events.schema import EventType
from functions.entry import LazyApp, lambda_handler
from functions.spec import TAKES_IN, event_spec

SPEC = event_spec("tool-result-failed", EventType.TOOL_FAILED, TAKES_IN)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = lambda_handler(app)
