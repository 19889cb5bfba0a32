"""Ids of messages, schedules and tokens: the name of this run, and a counter.

Invariant: unique across runs as long as run names differ; increasing within one run, so indexes grow at their end.
"""


class RunIds:
    """Ids of one run of the server."""

    def __init__(self, run_name: str) -> None:
        self._run_name = run_name
        self._count = 0

    def next(self, prefix: str) -> str:
        """A new id such as `msg_<run><number>`."""
        self._count += 1
        return f"{prefix}_{self._run_name}{self._count:08x}"
