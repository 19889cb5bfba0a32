"""`python -m baton_local.vector`: its options as settings, and the server in the foreground."""

import argparse
import logging
import os
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from baton_local.stand_in.folder import DataFolderError
from baton_local.vector.embeddings import EmbedderError
from baton_local.vector.server import serve
from baton_local.vector.settings import DEFAULT_PORT, HASHING_EMBEDDER, MAX_DIMENSION, NO_EMBEDDER, Settings

# What must not stand in a process list may come from here instead; an option wins.
TOKEN, PROOF = "LOCAL_VECTOR_TOKEN", "LOCAL_PART_PROOF"


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings from arguments and environment; wrong use ends the process with code 2."""
    parser = _parser(environment)
    options = parser.parse_args(arguments)
    if options.dimension is not None and not 1 <= options.dimension <= MAX_DIMENSION:
        parser.error(f"--dimension {options.dimension} is not between 1 and {MAX_DIMENSION}")
    if options.index_delay_ms < 0:
        parser.error(f"--index-delay-ms {options.index_delay_ms} is negative; 0 makes vectors searchable at once")
    if options.embedder not in {HASHING_EMBEDDER, NO_EMBEDDER} and not all(options.embedder.partition(":")):
        parser.error(f"--embedder {options.embedder!r} is neither hash, none nor of the form module:function")
    if "" in {options.token, options.read_only_token}:
        parser.error("a token must not be empty: it would let everybody in")
    if options.token is not None and options.token == options.read_only_token:
        parser.error("--token and --read-only-token are the same; give two different ones")
    return Settings(
        data=options.data,
        host=options.host,
        port=options.port,
        token=options.token,
        shows_token=TOKEN not in environment,
        proof=environment.get(PROOF),
        read_only_token=options.read_only_token,
        dimension=options.dimension,
        embedder=options.embedder,
        index_delay_ms=options.index_delay_ms,
        faults=options.faults,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.vector",
        description="A local vector index with Upstash's REST API: dense, cosine, exact search.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=Path(".baton/vector"), help="folder for all records (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        default=environment.get(TOKEN),
        help=f"the token that callers must send; also as {TOKEN} (default: one kept in the data folder)",
    )
    parser.add_argument("--read-only-token", help="a second token that may only read")
    parser.add_argument("--dimension", type=int, metavar="N", help="numbers in a vector (default: the embedder's)")
    parser.add_argument(
        "--embedder",
        default=HASHING_EMBEDDER,
        help="what makes vectors of texts: hash (finds shared words, not meaning), none, or module:function for your "
        "own, a function from a list of texts to a list of vectors (default: %(default)s)",
    )
    parser.add_argument(
        "--index-delay-ms",
        type=int,
        default=0,
        metavar="MS",
        help="how long a written vector cannot be found by a query, as on the hosted service (default: %(default)s)",
    )
    parser.add_argument("--faults", action="store_true", help="enable POST /admin/faults, for tests")
    return parser


def main() -> int:
    """Run the server; 0 after a signal, 1 if it could not run."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = parse(sys.argv[1:], os.environ)  # noqa: TID251 - the one place that reads it
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
