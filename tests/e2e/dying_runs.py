"""Agents that pydantic-ai documents, in a process that kills itself around commits of their jobs."""

from baton import Registry
from baton.worker.entry import LazyApp
from tests.e2e.dying_store import build_dying
from tests.unit.baton.sdk.pydantic_ai.documented_features import DOCUMENTED

# But for the one whose tools keep in memory what they are asked for.
CASES = {name: make() for name, make in DOCUMENTED.items() if name != "sequential_tool"}
registry = Registry(agents=[case.durable(name) for name, case in CASES.items()])
app = LazyApp(build_dying)
