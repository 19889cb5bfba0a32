"""`agent.loop.init`: the next turn: call the model, or finish. The one function that needs model libraries."""

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.engine.work_items import ItemKind
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.executors.model_work import model_work
from baton.worker.executors.tool_work import tool_work
from baton.worker.runtime.spec import event_spec
from baton_events.schema import EventType

SPEC = event_spec("agent-loop", EventType.LOOP_INIT, frozenset(ItemKind), model_work, tool_work)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
