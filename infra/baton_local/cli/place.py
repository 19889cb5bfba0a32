"""Which deployment a command works on: the settings of the environment, of a file, or of a running local stack.

Invariants: the environment wins over the file, as it does for `uvicorn --env-file`, so a command sees what the app
sees. A line of that file is changed in place: comments, order and everything else stay. Must not: check the settings'
values.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from dotenv import dotenv_values, set_key

from baton.settings.settings import Settings, read_settings
from baton_events.errors import SettingsError
from baton_local.cli.deployment import DEFAULT_FOLDER
from baton_local.dev.data_folder import DEV_FILE_NAME, SHOWN_SETTINGS
from baton_local.dev.environment import inherited_environment
from baton_local.dev.secrets_file import DEV_TENANT, ROLES, api_key_entry
from baton_local.dev.stack_error import StackError

# Any of these says that somebody's own deployment is meant.
_NAMING = ("QSTASH_URL", "QSTASH_TOKEN", "WORKER_BASE_URL", "UPSTASH_REDIS_REST_URL")
_OF_STACK = {
    "QSTASH_URL": "qstash_url",
    "QSTASH_TOKEN": "qstash_token",
    "QSTASH_CURRENT_SIGNING_KEY": "qstash_current_signing_key",
    "QSTASH_NEXT_SIGNING_KEY": "qstash_next_signing_key",
    "WORKER_BASE_URL": "app_url",
    "UPSTASH_REDIS_REST_URL": "redis_url",
    "UPSTASH_REDIS_REST_TOKEN": "redis_token",
    "REDIS_URL": "store_url",
    "UPSTASH_VECTOR_REST_URL": "vector_url",
    "UPSTASH_VECTOR_REST_TOKEN": "vector_token",
    "OPERATIONS_API_KEY": "operations_key",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A deployment's environment variables, and where they are from, for people."""

    environment: Mapping[str, str]
    origin: str

    def settings(self) -> Settings:
        """Return the settings, checked. Raises StackError: some are wrong; all are listed."""
        try:
            return read_settings(self.environment)
        except SettingsError as error:
            raise StackError(str(error)) from error


def place_of(env_file: Path | None, data: Path | None) -> Place:
    """Return the deployment that is meant. Raises StackError: the file or the stack is not there."""
    around = inherited_environment()
    if data is not None:
        return Place({**around, **_stack(data)}, f"the local stack in {data}")
    if env_file is not None:
        return Place({**_file(env_file), **around}, f"{env_file} and the environment")
    if not any(around.get(name, "").strip() for name in _NAMING) and (DEFAULT_FOLDER / DEV_FILE_NAME).exists():
        return Place({**around, **_stack(DEFAULT_FOLDER)}, f"the local stack in {DEFAULT_FOLDER}")
    return Place(around, "the environment")


def with_place(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a deployment; the command's first argument is the `Place`."""

    @click.option(
        "--env-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Settings that the environment does not have, such as .env.",
    )
    @click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="The running `baton dev` of this folder.",
    )
    @wraps(command)
    def found(*arguments: Any, env_file: Path | None, data: Path | None, **options: Any) -> None:
        command(place_of(env_file, data), *arguments, **options)

    return found


def _file(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise StackError(f"there is no file {path}: copy .env.example, or leave --env-file out")
    return {name: value or "" for name, value in _values(path).items()}


def _values(path: Path) -> dict[str, str | None]:
    try:
        return dotenv_values(path, encoding=_encoding(path))
    except UnicodeDecodeError as error:  # what `>` of PowerShell writes, for one
        raise StackError(f"{path} is not UTF-8 ({error.reason}): save it as UTF-8") from error


def _encoding(path: Path) -> str:
    """Return UTF-8, with the mark before it if the file has one: it is no part of the first name."""
    return "utf-8-sig" if path.is_file() and path.read_bytes().startswith(BOM_UTF8) else "utf-8"


def _stack(data: Path) -> dict[str, str]:
    path = data / DEV_FILE_NAME
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        keys = ",".join(api_key_entry(role, DEV_TENANT, described[f"{role}_key"]) for role in ROLES)
        own = {name: str(described[key]) for name, key in _OF_STACK.items()}
        return {**dict.fromkeys(SHOWN_SETTINGS, ""), **described.get("settings", {}), **own, "API_KEYS": keys}
    except FileNotFoundError as error:
        raise StackError(f"there is no {path}: start `baton dev --data {data}`, or leave --data out") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read ({type(error).__name__}): start `baton dev` on it again") from error


def put_line(path: Path, name: str, value: str) -> str:
    """Set a variable in the file; what it was before, empty: nothing. Raises StackError: the file cannot be written."""
    try:
        before = _values(path).get(name) or ""
        if before != value:
            set_key(path, name, value, quote_mode="never", encoding=_encoding(path))
    except OSError as error:
        raise StackError(f"{path} cannot be changed ({error.strerror}): set {name}={value} there yourself") from error
    return before
