"""Eight programs of five peers, in a process that kills itself around commits of their jobs."""

from baton import Registry
from baton.worker.entry import LazyApp
from tests.e2e.dying_store import build_dying
from tests.unit.baton.sdk.workflows.ported import dbos, inngest, restate, temporal, vercel

_NAMES = (*("expense", "dsl", "transfer_or_refund"), *("mirror", "onboarding", "saga", "fan_out", "user_signup"))
_ALL = {case.program.name: case for peer in (vercel, restate, inngest, dbos, temporal) for case in reversed(peer.CASES)}
CASES = {name: _ALL[name] for name in _NAMES}
registry = Registry(workflows=[each for case in CASES.values() for each in (case.program, *case.below)])
app = LazyApp(build_dying)
