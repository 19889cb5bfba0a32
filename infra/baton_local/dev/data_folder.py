"""The data folder of a stack: one running stack per folder, private files, room on its disk, and `dev.json`.

Invariants: the holder of the lock is the only one that starts parts on this folder. The kernel drops the lock when its
holder ends in whatever way, so there is no stale lock to clear. A reader of a private file sees the old content or the
new one, never half of it, and nobody else may read either; a crash leaves at most a temporary file beside it.
`dev.json` is how other programs find a running stack, and holds every key: it is there only while its stack is ready (a
leftover of a killed run is removed at the next start). Its key names are the contract's.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baton_local.dev.stack_error import StackError
from baton_local.stand_in.folder import DataFolderError, lock_folder

PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700


def write_private_file(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_private_folder(folder: Path) -> None:
    """Make the folder and its parents; the folder itself may be entered by its owner only, when it is new."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"{folder} cannot be a data folder ({error.strerror}): name another with --data DIR"
        ) from error


MIN_FREE_BYTES = 8_000_000


def capacity_bytes(folder: Path) -> int:
    """Return how much may still be written there; much where it is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return MIN_FREE_BYTES


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder for the time of the block, or say who holds it."""
    make_private_folder(folder)
    try:
        descriptor = lock_folder(folder)
    except DataFolderError as error:
        pid = (folder / "lock").read_text(encoding="utf-8").strip() or "unknown"
        raise StackError(
            f"a stack already runs on {folder} (pid {pid}, described in {folder / 'dev.json'}): "
            f"stop it with Ctrl-C there or `kill {pid}`, or use another folder with --data DIR"
        ) from error
    try:
        yield
    finally:
        os.close(descriptor)


DEV_FILE_NAME = "dev.json"
SHOWN_SETTINGS = (
    "QUEUE",
    "QSTASH_TOPIC_PREFIX",
    "PUBLISH_BY",
    "MESSAGE_RETRY_DELAY_MS",
    "DELIVERIES_AT_ONCE",
    "MESSAGE_TIMEOUT_SECONDS",
    "WORK_TIMEOUT_SECONDS",
    "MAX_CONCURRENT_JOBS",
)


@dataclass(frozen=True)
class DevFile:
    """The content of `dev.json`.

    `settings`: what the person set that says how events go, for other commands. `qstash_url`, `qstash_token`: empty
    where the queue is in the store. `store_url`: where the server is
    reached over RESP; then there is no REST API, and `redis_url` and `redis_token` are empty. `fault`: why the app
    serves nobody until its code is mended; empty: it serves.
    """

    app_url: str
    qstash_url: str
    redis_url: str
    vector_url: str
    qstash_token: str
    redis_token: str
    vector_token: str
    client_key: str
    admin_key: str
    operations_key: str
    qstash_current_signing_key: str
    qstash_next_signing_key: str
    processes: dict[str, int]
    settings: dict[str, str] = field(default_factory=dict[str, str])
    store_url: str = ""
    fault: str = ""

    def as_record(self) -> dict[str, Any]:
        return asdict(self)


def shown_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what `baton setup` and `baton doctor` need of the app's environment."""
    return {name: environment[name] for name in SHOWN_SETTINGS if environment.get(name)}


def write_dev_file(folder: Path, content: DevFile) -> None:
    write_private_file(folder / DEV_FILE_NAME, json.dumps(content.as_record(), indent=2) + "\n")


def remove_dev_file(folder: Path) -> None:
    (folder / DEV_FILE_NAME).unlink(missing_ok=True)
