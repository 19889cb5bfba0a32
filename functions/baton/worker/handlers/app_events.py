"""Events of your own: each starts a job for each of its handlers."""

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.runtime.spec import Spec
from baton_events.schema import EVENTS_ENDPOINT

SPEC = Spec(name="app-events", path=EVENTS_ENDPOINT)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
