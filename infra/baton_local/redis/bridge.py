"""`python -m baton_local.redis.bridge`: the bridge alone, in front of a server that somebody else runs.

Invariant: it starts and stops nothing but itself; the server may come and go.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from baton_local.redis.address import ServerAddress
from baton_local.redis.options import TOKEN, add_bridge_options, bridge_settings
from baton_local.redis.running import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.redis.bridge",
        description="Answer as an Upstash Redis REST database, with a running Valkey or Redis server behind.",
    )
    parser.add_argument("--server", required=True, help="unix:/path/to/socket or host:port")
    environment = os.environ  # noqa: TID251 - the one place of this entry point that reads it
    parser.add_argument(
        "--token",
        default=environment.get(TOKEN),
        required=TOKEN not in environment,
        help=f"the token that callers must send; also as {TOKEN}",
    )
    add_bridge_options(parser)
    options = parser.parse_args(arguments)
    try:
        server = ServerAddress.from_text(options.server)
    except ValueError as error:
        parser.error(str(error))
    return run(bridge_settings(options, server, options.token, environment))


if __name__ == "__main__":
    sys.exit(main())
