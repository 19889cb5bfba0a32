"""The environment of a row's processes: the one place of the benchmark that reads it."""

import os
from collections.abc import Mapping


def environment() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251 - the one place


def setting(name: str, default: str = "") -> str:
    return os.environ.get(name, default)  # noqa: TID251 - the one place


def set_for_children(values: Mapping[str, str]) -> None:
    """What processes started from now on find, besides."""
    os.environ.update(values)  # noqa: TID251 - the one place
