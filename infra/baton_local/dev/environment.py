"""The one place of `baton_local.dev` and `baton_local.cli` that reads or changes the process environment.

Everything else gets the environment as a value, so that a part's surroundings can be read off the code.
"""

import os

_LOOPBACK = "127.0.0.1,localhost,::1,127.0.0.0/8"
NO_PROXY = ("NO_PROXY", "no_proxy")


def inherited_environment() -> dict[str, str]:
    """Return a copy of this process's environment: what a part inherits, before its own settings are laid over it."""
    return dict(os.environ)  # noqa: TID251 - the one adapter of this package for the environment


def no_proxy() -> str:
    """Return the hosts that are reached without a proxy: those of the environment, and this machine."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")  # noqa: TID251 - as above; the small one counts
    return known if known and _LOOPBACK in known else ",".join(filter(None, (known, _LOOPBACK)))


def reach_loopback_directly() -> None:
    """Keep HTTP clients of this process and of its parts from asking a company proxy for this machine."""
    hosts = no_proxy()
    for name in NO_PROXY:
        os.environ[name] = hosts  # noqa: TID251 - as above
