"""`tool.execution.failed`: retry the call, or give the model the error."""

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.runtime.spec import TAKES_IN, event_spec
from baton_events.schema import EventType

SPEC = event_spec("tool-result-failed", EventType.TOOL_FAILED, TAKES_IN)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
