"""`python -m baton_local.vector`: the server in the foreground."""

import logging
import os
import sqlite3
import sys

from baton_local.stand_in.folder import DataFolderError
from baton_local.vector import command_line
from baton_local.vector.embedding.model import EmbedderError
from baton_local.vector.serving import serve


def main() -> int:
    """Run the server; 0 after a signal, 1 if it could not run."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = command_line.parse(sys.argv[1:], os.environ)  # noqa: TID251 - the one place that reads it
    try:
        return serve(settings, _announce if settings.shows_token else _announce_address)
    except (DataFolderError, EmbedderError, OSError, sqlite3.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _announce_address(url: str, _token: str) -> None:
    print(f"Vector listening on {url}", flush=True)


def _announce(url: str, token: str) -> None:
    _announce_address(url, token)
    print(f"export UPSTASH_VECTOR_REST_URL={url}")
    print(f"export UPSTASH_VECTOR_REST_TOKEN={token}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
