"""`agent.loop.init`: the next turn: call the model, or finish. The one function that needs model libraries."""

from events.core.legs import LegKind
from events.schema import EventType
from functions.entry import LazyApp, lambda_handler
from functions.spec import event_spec

SPEC = event_spec("agent-loop", EventType.LOOP_INIT, frozenset(LegKind))
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = lambda_handler(app)
