"""`agent.tool.call`: run one tool call. Never goes into a model turn, so it stays free of model libraries."""

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.engine.work_items import FOLLOW_UPS, ItemKind
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.executors.tool_work import tool_work
from baton.worker.runtime.spec import event_spec
from baton_events.schema import EventType

CONTINUES = frozenset(ItemKind) - {ItemKind.LOOP} - FOLLOW_UPS
SPEC = event_spec("tool-executor", EventType.TOOL_CALL, CONTINUES, tool_work)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
