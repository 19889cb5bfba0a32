"""What a setting is: one environment variable, described for people and for the code that reads it."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton.configuration.setting_readers import text

EVERYWHERE = "all functions"
WEBHOOKS = "webhooks"
API = "API and console"


class Setting(Struct, frozen=True):
    """One environment variable: where it goes, its default as text, its unit, and what it means.

    `needed`: a deployment does not work without it, unless the setting named by `instead` is there. `where`: which
    functions read it.
    """

    name: str
    field: str
    default: str
    unit: str
    help: str
    read: Callable[[str], Any] = text
    secret: bool = False
    needed: bool = False
    instead: str = ""
    where: str = EVERYWHERE


def read_by(where: str, *settings: Setting) -> Iterator[Setting]:
    """These settings, with who reads them."""
    return (replace(setting, where=where) for setting in settings)
