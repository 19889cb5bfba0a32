"""`python -m baton_local.vector`: the server over a data folder, in the foreground until a signal.

The only module that builds real adapters. Invariant: one process per folder, which holds its lock.
"""

import argparse
import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop

from baton_local.stand_in.folder import DataFolderError, lock_folder, token_of
from baton_local.stand_in.http_server import listen, serve_until
from baton_local.vector.app import Api
from baton_local.vector.embeddings import DEFAULT_DIMENSION, HASHING_EMBEDDER, NO_EMBEDDER, EmbedderError, model_of
from baton_local.vector.index import Index

# What must not stand in a process list may come from here instead; an option wins.
TOKEN, PROOF = "LOCAL_VECTOR_TOKEN", "LOCAL_PART_PROOF"
MAX_DIMENSION = 3_072


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Read the options; wrong use ends the process with code 2."""
    parser = _parser(environment)
    options = parser.parse_args(arguments)
    if options.dimension is not None and not 1 <= options.dimension <= MAX_DIMENSION:
        parser.error(f"--dimension {options.dimension} is not between 1 and {MAX_DIMENSION}")
    if options.index_delay_ms < 0:
        parser.error(f"--index-delay-ms {options.index_delay_ms} is negative; 0 makes vectors searchable at once")
    if options.embedder not in {HASHING_EMBEDDER, NO_EMBEDDER} and not all(options.embedder.partition(":")):
        parser.error(f"--embedder {options.embedder!r} is neither hash, none nor of the form module:function")
    if options.token == "":
        parser.error("a token must not be empty: it would let everybody in")
    return options


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.vector",
        description="A local vector index with Upstash's REST API: dense, cosine, exact search.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8078, help="port; 0 takes a free one (default: %(default)s)")
    add("--data", type=Path, default=Path(".baton/store/vector"), help="folder for all records (default: %(default)s)")
    token = f"the token that callers must send; also as {TOKEN} (default: one kept in the data folder)"
    add("--token", default=environment.get(TOKEN), help=token)
    add("--dimension", type=int, metavar="N", help="numbers in a vector (default: the embedder's)")
    embedder = (
        "what makes vectors of texts: hash (finds shared words, not meaning), none, or module:function for your own, "
        "a function from a list of texts to a list of vectors (default: %(default)s)"
    )
    add("--embedder", default=HASHING_EMBEDDER, help=embedder)
    delay = "how long a written vector cannot be found by a query, as on the hosted service (default: %(default)s)"
    add("--index-delay-ms", type=int, default=0, metavar="MS", help=delay)
    add("--faults", action="store_true", help="enable POST /admin/faults, for tests")
    return parser


@contextmanager
def running(options: argparse.Namespace, proof: str | None = None) -> Iterator[tuple[Api, str]]:
    """Yield the application over the data folder, and the token that callers need.

    Raises EmbedderError: the model cannot be used. DataFolderError: the folder is in use, cannot be used, or holds an
    index of another shape.
    """
    folder = options.data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = lock_folder(folder)
    except OSError as error:
        raise DataFolderError(f"cannot use {folder} as data folder: {error}; name another with --data") from None
    try:
        token, model = options.token or token_of(folder), model_of(options.embedder, options.dimension)
        shape = (model.dimension, model.name) if model else (options.dimension or DEFAULT_DIMENSION, "")
        index = Index(folder / "index.db", *shape, options.index_delay_ms)
        try:
            yield Api(index, model, token, faults=options.faults, proof=proof), token
        finally:
            index.close()
    finally:
        os.close(lock)


async def _serve(options: argparse.Namespace, proof: str | None, *, shows_token: bool) -> None:
    listener, url = listen(options.host, options.port)
    with running(options, proof) as (app, token):
        announcement = f"Vector listening on {url}"
        if shows_token:
            announcement += f"\nexport UPSTASH_VECTOR_REST_URL={url}\nexport UPSTASH_VECTOR_REST_TOKEN={token}"
        await serve_until(asyncio.Event(), app, listener, lambda: print(announcement, flush=True))


def main() -> int:
    """Run the server; 0 after a signal, 1 if it could not run."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    environment = os.environ  # noqa: TID251 - the one place that reads it
    options = parse(sys.argv[1:], environment)
    try:
        # Where its starter gave the token by the environment, it is not shown.
        uvloop.run(_serve(options, environment.get(PROOF), shows_token=TOKEN not in environment))
    except (DataFolderError, EmbedderError, OSError, sqlite3.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
