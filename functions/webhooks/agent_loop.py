"""`agent.loop.init`: the next turn: call the model, or finish. The one function that needs model libraries."""

from events.core.legs import LegKind
from events.schema import EventType
from functions.entry import LazyApp, lambda_handler
from functions.model_work import model_work
from functions.spec import event_spec
from functions.tool_work import tool_work

SPEC = event_spec("agent-loop", EventType.LOOP_INIT, frozenset(LegKind), model_work, tool_work)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = lambda_handler(app)
