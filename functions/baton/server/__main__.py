"""Serves the app with uvicorn, on all cores: `python -m baton.server --port 8090`, with uvicorn's own options.

`--workers`, `WEB_CONCURRENCY` or `UVICORN_WORKERS` say another number of processes. Where one cannot start, all end,
and the exit code says so.
"""

import os
import sys

from baton.sdk.distribution import missing_extra
from baton.server.processes import processes_here

_NUMBERS = ("WEB_CONCURRENCY", "UVICORN_WORKERS")


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    if missing := missing_extra("server", "python -m baton.server"):
        sys.exit(missing)
    import uvicorn  # noqa: PLC0415 - of an extra
    from uvicorn.config import STARTUP_FAILURE  # noqa: PLC0415 - as above
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415 - as above

    class Workers(Multiprocess):
        """Uvicorn's own stops, too, where a worker does not start, but ends as if it had been told to."""

        failed = False

        def keep_subprocess_alive(self) -> None:
            ending = self.should_exit.is_set()
            super().keep_subprocess_alive()
            self.failed = self.should_exit.is_set() and not ending

        def run(self) -> None:
            super().run()
            if self.failed:
                sys.exit(STARTUP_FAILURE)

    vars(sys.modules["uvicorn.main"])["Multiprocess"] = Workers  # its command takes no other one
    is_set = any(os.environ.get(name) for name in _NUMBERS)  # noqa: TID251 - uvicorn's own settings
    workers = () if is_set else ("--workers", str(processes_here()))
    uvicorn.main(["baton.server.app:app", *workers, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
