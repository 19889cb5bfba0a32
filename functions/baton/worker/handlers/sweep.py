"""The sweep: replays stalled jobs. Called by an armed message and by the hourly schedule."""

from typing import Any

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.runtime.spec import Spec
from baton_events.schema import SWEEP_ENDPOINT


async def ended(*operation: Any) -> None:
    """Continue the session of an operation that has ended."""
    from baton.worker.executors.continuing import ended  # noqa: PLC0415 - few sweeps find an outcome, and this loads agents

    await ended(*operation)


SPEC = Spec(name="sweep", path=SWEEP_ENDPOINT, ended=ended)
app = LazyApp(lambda container: container.endpoint(SPEC))
handler = LambdaHandler(app)
