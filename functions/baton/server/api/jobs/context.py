"""What endpoints share: the container, the keys of callers, and the jobs that a caller may see.

An endpoint is a function of it and of a request. Must not: hold anything of one request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from baton.server.api.auth import Keys
from baton.server.api.jobs.job import JobsApi
from baton.server.api.route import Endpoint
from baton.worker.container import Container


@dataclass(frozen=True, slots=True)
class Context:
    """One for all requests of a process."""

    container: Container
    keys: Keys
    jobs: JobsApi

    def serves(self, endpoint: "Callable[[Context, Request], Awaitable[Response]]") -> Endpoint:
        return partial(endpoint, self)


def context_of(container: Container, keys: Keys) -> Context:
    return Context(container, keys, JobsApi(container, keys))
