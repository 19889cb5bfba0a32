"""`python -m baton_local.qstash`: its options as settings, and the server in the foreground."""

import argparse
import contextlib
import logging
import os
import resource
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.state import SigningKeys
from baton_local.qstash.server import serve
from baton_local.qstash.settings import DEVELOPMENT_USERS, Settings, User, user_id_of, users_with

# What must not stand in a process list may come from here instead; an option wins.
TOKEN, CURRENT_KEY, NEXT_KEY = "LOCAL_QSTASH_TOKEN", "LOCAL_QSTASH_CURRENT_SIGNING_KEY", "LOCAL_QSTASH_NEXT_SIGNING_KEY"
PROOF, IN_FLIGHT = "LOCAL_PART_PROOF", "LOCAL_QSTASH_IN_FLIGHT"
LEAST_IN_FLIGHT = 2


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read the settings from arguments and environment; wrong use ends the process with code 2."""
    parser = _parser(environment)
    given = vars(parser.parse_args(arguments))
    default = DEVELOPMENT_USERS[0]
    token, current, following = (given.pop(name) for name in ("token", "current_signing_key", "next_signing_key"))
    time_scale, in_flight = given.pop("time_scale"), given.pop("in_flight")
    if bool(current) is not bool(following):
        parser.error("give both --current-signing-key and --next-signing-key, or neither")
    if time_scale <= 0:
        parser.error(f"--time-scale {time_scale} is not positive; 60 makes a minute last a second")
    if in_flight < LEAST_IN_FLIGHT:
        parser.error(f"--in-flight {in_flight} is too few: one destination may have half of them, so 2 or more")
    primary = User(
        user_id_of(token) if token and token != default.token else default.id,
        token or default.token,
        current or default.current_signing_key,
        following or default.next_signing_key,
        given.pop("read_only_token"),
    )
    return Settings(
        users=users_with(primary),
        limits=Limits(time_scale=time_scale, max_in_flight=in_flight),
        proof=environment.get(PROOF),
        shows_secrets=TOKEN not in environment,
        **given,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m baton_local.qstash", description="A local QStash server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port, 0 for a free one (default %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=Path(".baton/qstash"), help="folder for all state (default %(default)s)"
    )
    _add_secrets(parser, environment)
    parser.add_argument(
        "--time-scale", type=float, default=1.0, metavar="N", help="delays, backoff and cron pass N times faster"
    )
    parser.add_argument(
        "--in-flight",
        type=int,
        default=environment.get(IN_FLIGHT, Limits().max_in_flight),
        metavar="N",
        help=f"deliveries at once, half of them to one destination; also as {IN_FLIGHT} (default %(default)s)",
    )
    parser.add_argument(
        "--keep-finished-seconds", type=int, default=86_400, help="how long finished messages and events stay readable"
    )
    parser.add_argument(
        "--max-calls-per-second", type=int, metavar="N", help="answer 429 to more calls than this (default: no limit)"
    )
    parser.add_argument(
        "--max-messages-per-day",
        type=int,
        metavar="N",
        help="answer 429 to more messages than this (default: no limit)",
    )
    parser.add_argument(
        "--no-sync",
        dest="synced",
        action="store_false",
        help="do not wait for the disk: faster; safe from kill -9, not from power cuts",
    )
    parser.add_argument("--faults", action="store_true", help="enable /admin/faults and /admin/reset, for tests")
    return parser


def _add_secrets(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    parser.add_argument(
        "--token",
        default=environment.get(TOKEN),
        help=f"the one token that is served; also as {TOKEN} (default: the published development users')",
    )
    parser.add_argument("--read-only-token", help="a token that reads everything of that user and changes nothing")
    parser.add_argument(
        "--current-signing-key",
        default=environment.get(CURRENT_KEY),
        help=f"signing key of that user; also as {CURRENT_KEY} (default: the development user's)",
    )
    parser.add_argument(
        "--next-signing-key",
        default=environment.get(NEXT_KEY),
        help=f"the key that a rotation makes current; also as {NEXT_KEY}",
    )


_WANTED_OPEN_FILES = 8_192


def main() -> int:
    """Run the server; 0 after a signal, 1 if it could not run."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    settings = parse(sys.argv[1:], os.environ)  # noqa: TID251 - the one place that reads it
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
    """Raise the soft limit of open files: each delivery in flight and each caller needs one, and 1,024 is close."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
