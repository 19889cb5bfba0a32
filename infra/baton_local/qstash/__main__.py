"""`python -m baton_local.qstash`: the server in the foreground."""

import contextlib
import logging
import os
import resource
import sqlite3
import sys

from baton_local.qstash import command_line
from baton_local.qstash.core.tenant import SigningKeys
from baton_local.qstash.serving import serve
from baton_local.qstash.settings import Settings

_WANTED_OPEN_FILES = 8_192


def main() -> int:
    """Run the server; 0 after a signal, 1 if it could not run."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = command_line.parse(sys.argv[1:], os.environ)  # noqa: TID251 - the one place that reads it
    _allow_many_connections()
    try:
        return serve(settings, lambda url, keys: _announce(settings, url, keys))
    except (OSError, RuntimeError, sqlite3.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _announce(settings: Settings, url: str, keys: SigningKeys) -> None:
    print(f"QStash listening on {url}", flush=True)
    if not settings.shows_secrets:
        return
    print(f"export QSTASH_URL={url}")
    print(f"export QSTASH_TOKEN={settings.users[0].token}")
    print(f"export QSTASH_CURRENT_SIGNING_KEY={keys.current}")
    print(f"export QSTASH_NEXT_SIGNING_KEY={keys.next}", flush=True)


def _allow_many_connections() -> None:
    """Deliveries in flight and callers each need a file; the usual soft limit of 1,024 is close."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
