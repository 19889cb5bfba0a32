"""The failure callback of the queue: an event that could not be delivered is replayed, within a budget."""

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.runtime.spec import Spec
from baton_events.schema import DELIVERY_FAILED_ENDPOINT

# It does no work of a job, and answers behind an HTTP API, which ends a request after 30 s.
SPEC = Spec(name="delivery-failed", path=DELIVERY_FAILED_ENDPOINT)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
