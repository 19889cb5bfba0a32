"""The capabilities of pydantic-ai's harness, in a process that kills itself around commits of their jobs."""

import os
from pathlib import Path

from baton import Registry
from baton.pydantic_ai import durable
from baton.worker.entry import LazyApp
from tests.e2e.dying_capabilities import agents_in
from tests.e2e.dying_store import build_dying

folder = Path(os.environ["NOTES"])  # noqa: TID251 - the test says where
registry = Registry(agents=[durable(agent, name="_".join(key)) for key, agent in agents_in(folder).items()])
app = LazyApp(build_dying)
