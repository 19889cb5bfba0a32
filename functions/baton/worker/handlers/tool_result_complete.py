"""`tool.execution.complete`: apply a result; the last one of a turn starts the next turn."""

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.runtime.spec import TAKES_IN, event_spec
from baton_events.schema import EventType

SPEC = event_spec("tool-result-complete", EventType.TOOL_COMPLETE, TAKES_IN)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
