"""`python -m baton_local.redis`: the real server and the bridge together, in the foreground.

Invariant: the server is this process's child and ends with it; all data is in one folder.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from baton_local.redis.bridge import TOKEN, ServerChild, add_bridge_options, bridge_settings, run
from baton_local.redis.valkey import DataDir, server_address, server_command
from baton_local.stand_in.folder import DataFolderError, token_of

_DEFAULT_DATA = Path(".baton/redis")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.redis",
        description="A local Redis with Upstash's REST API: a real server and the bridge in front of it.",
    )
    parser.add_argument("--data", type=Path, default=_DEFAULT_DATA, help="data folder (default: %(default)s)")
    environment = os.environ  # noqa: TID251 - the one place of this entry point that reads it
    parser.add_argument(
        "--token",
        default=environment.get(TOKEN),
        help=f"the token that callers must send; also as {TOKEN} (default: one kept in the data folder)",
    )
    add_bridge_options(parser)
    options = parser.parse_args(arguments)
    data_dir = DataDir(options.data)
    try:
        data_dir.prepare()
        data_dir.check_free()
        token: str = options.token or token_of(options.data)
    except DataFolderError as error:
        print(f"redis: {error}", file=sys.stderr)
        return 1
    settings = bridge_settings(options, server_address(options.data), token, environment)
    return run(settings, ServerChild(server_command(options.data)))


if __name__ == "__main__":
    sys.exit(main())
