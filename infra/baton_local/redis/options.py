"""The command-line options that both entry points share."""

import argparse
import secrets
from collections.abc import Mapping

from baton_local.redis.address import ServerAddress
from baton_local.redis.application import BridgeSettings
from baton_local.redis.auth import Tokens

DEFAULT_PORT = 8079
# What must not stand in a process list may come from here instead; an option wins.
TOKEN, PROOF = "LOCAL_REDIS_TOKEN", "LOCAL_PART_PROOF"


def add_bridge_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--read-only-token", help="a second token that may only read")
    parser.add_argument("--faults", action="store_true", help="enable POST /admin/faults, for tests")


def bridge_settings(
    options: argparse.Namespace, server: ServerAddress, token: str, environment: Mapping[str, str]
) -> BridgeSettings:
    """The settings that parsed options ask for."""
    read_only: str | None = options.read_only_token
    return BridgeSettings(
        server=server,
        tokens=Tokens(token.encode(), read_only.encode() if read_only else None),
        sync_token_prefix=secrets.token_hex(4) + "-",
        host=options.host,
        port=options.port,
        faults=options.faults,
        proof=environment.get(PROOF),
        shows_token=TOKEN not in environment,
    )
