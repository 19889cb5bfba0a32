"""`python -m infra.local_qstash`: the server in the foreground."""

import contextlib
import logging
import resource
import sys

from infra.local_qstash import command_line
from infra.local_qstash.serving import serve
from infra.local_qstash.settings import Settings
from infra.local_qstash.storage.folder_lock import FolderInUseError

_WANTED_OPEN_FILES = 8_192


def main() -> int:
    """Run the server; 0 after a signal, 1 if it could not run."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = command_line.parse(sys.argv[1:])
    _allow_many_connections()
    try:
        return serve(settings, lambda url: _announce(settings, url))
    except (FolderInUseError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _announce(settings: Settings, url: str) -> None:
    user = settings.users[0]
    print(f"QStash listening on {url}")
    print(f"export QSTASH_URL={url}")
    print(f"export QSTASH_TOKEN={user.token}")
    print(f"export QSTASH_CURRENT_SIGNING_KEY={user.current_signing_key}")
    print(f"export QSTASH_NEXT_SIGNING_KEY={user.next_signing_key}", flush=True)


def _allow_many_connections() -> None:
    """Deliveries in flight and callers each need a file; the usual soft limit of 1,024 is close."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
