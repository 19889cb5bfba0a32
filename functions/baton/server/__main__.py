"""Serves the app with uvicorn, on all cores: `python -m baton.server --port 8090`, with uvicorn's own options.

`--workers`, `WEB_CONCURRENCY` or `UVICORN_WORKERS` say another number of processes.
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

    is_set = any(os.environ.get(name) for name in _NUMBERS)  # noqa: TID251 - uvicorn's own settings
    workers = () if is_set else ("--workers", str(processes_here()))
    uvicorn.main(["baton.server.app:app", *workers, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
