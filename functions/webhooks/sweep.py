"""The sweep: drives what nobody has driven. Called by an armed message and by the hourly schedule."""

from events.schema import SWEEP_ENDPOINT
from functions.entry import LazyApp, lambda_handler
from functions.spec import Spec

SPEC = Spec(name="sweep", path=SWEEP_ENDPOINT)
app = LazyApp(lambda container: container.sweep(SPEC))
handler = lambda_handler(app)
