"""Serves the product with uvicorn, for the local stack: `python -P -m infra.dev.app_server --port N`.

It is `uvicorn functions.app:app --app-dir DIR` but for one thing: our own packages are imported before DIR is put on
the import path. Serverless projects often have a folder `functions/` or `events/` of their own, which would otherwise
hide ours. Must not hold any setting of the product: those come through the environment.
"""

import argparse
import importlib
import sys

import uvicorn

OWN_PACKAGES = ("baton", "events", "functions", "infra")
GRACE_SECONDS = 2
# Longer than the queue's client keeps a connection, so that it never writes into one that is just being closed.
KEEP_ALIVE_SECONDS = 75


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m infra.dev.app_server", description="Serve the product locally.")
    parser.add_argument("--target", default="functions.app:app", help="the ASGI application (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--app-dir", help="folder to import the user's agents from")
    options = parser.parse_args(arguments)
    if options.app_dir is not None:
        for package in OWN_PACKAGES:
            importlib.import_module(package)
        sys.path.insert(0, options.app_dir)
    uvicorn.run(
        options.target,
        host=options.host,
        port=options.port,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
