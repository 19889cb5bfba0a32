"""The one place of `baton_local.dev` and `baton_local.cli` that reads or changes the process environment.

Everything else gets the environment as a value, so that a part's surroundings can be read off the code.
"""

import os

LOOPBACK_HOSTS = "127.0.0.1,localhost"


def inherited_environment() -> dict[str, str]:
    """Return a copy of this process's environment: what a part inherits, before its own settings are laid over it."""
    return dict(os.environ)  # noqa: TID251 - the one adapter of this package for the environment


def reach_loopback_directly() -> None:
    """Keep HTTP clients of this process and of its parts from asking a company proxy for 127.0.0.1."""
    for name in ("NO_PROXY", "no_proxy"):
        known = os.environ.get(name)  # noqa: TID251 - as above
        if known is None or LOOPBACK_HOSTS not in known:
            os.environ[name] = f"{known},{LOOPBACK_HOSTS}" if known else LOOPBACK_HOSTS  # noqa: TID251 - as above
