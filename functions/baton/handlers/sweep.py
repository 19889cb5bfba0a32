"""The sweep: redrives stalled jobs. Called by an armed message and by the hourly schedule."""

from baton.entry import LambdaHandler, LazyApp
from baton.runtime.spec import Spec
from baton_events.schema import SWEEP_ENDPOINT

SPEC = Spec(name="sweep", path=SWEEP_ENDPOINT)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
