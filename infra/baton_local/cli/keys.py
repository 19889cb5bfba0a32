"""`baton keys create|list|revoke`: who may use the API; `baton keys roll`: with which keys the queue signs.

`baton keys payload|reseal`: by which keys payloads are encrypted.

Invariants: a key itself is printed once, alone on the last line of the standard output, and stored nowhere; only its
digest is kept, in the deployment's store or, for a local stack that does not run, in its folder. The audit log records
its changes. The queue's keys are
rolled only where every function takes both keys of the account: a message is then let in before and after, by the key
that stays.
"""

import asyncio
import hashlib
import json
import logging
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import TypeVar

import click

from baton.queue.account import QueueSetup, SigningKeys
from baton.settings.settings import Settings, require, settings_from_environment
from baton.store.records.access import AuditEntry, StoredKey
from baton.store.redis.resealing import Resealed
from baton.worker.container import Ports
from baton.worker.wiring import real_ports
from baton.worker.wiring import resealing as real_resealing
from baton_events.errors import BatonError, PublishError, SettingsError, StoreError
from baton_local.cli.deployment import DEFAULT_FOLDER
from baton_local.cli.place import Place, put_line, with_place
from baton_local.dev.data_folder import DEV_FILE_NAME
from baton_local.dev.secrets_file import (
    ID_CHARS,
    ROLES,
    SECRETS_FILE_NAME,
    Role,
    add_api_key_entry,
    api_key_entries,
    api_key_entry,
    key_prefix,
    new_api_key,
    remove_api_key_entry,
)
from baton_local.dev.stack_error import StackError
from baton_local.doctor.checkup import Services
from baton_local.doctor.queue import refusals

_NEEDED = ("QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY", "WORKER_BASE_URL")


@click.command()
@with_place
@click.option("--check", is_flag=True, help="Only see whether they may be rolled now.")
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Put the new keys into this env file.",
)
def roll(place: Place, *, check: bool, write: Path | None) -> None:
    """Roll the queue's signing keys; then deploy the new ones."""
    settings = place.settings()
    try:
        require(settings, *_NEEDED)
        keys = asyncio.run(_roll(settings, check=check))
    except (SettingsError, PublishError) as error:
        raise StackError(str(error)) from error
    if check:
        print("They may be rolled now: every function accepts the next key.")
        return
    if settings.queue == "redis":
        print("Rolled. Each process reads them from the store within a minute; do not roll again before that.")
        return
    print("Rolled. The running functions accept messages by their next key. Deploy both new keys, and see")
    print("`baton doctor`; do not roll again before that.")
    if write is not None:
        put_line(write, "QSTASH_CURRENT_SIGNING_KEY", keys.current)
        put_line(write, "QSTASH_NEXT_SIGNING_KEY", keys.following)
        print(f"They are in {write}.")
    else:
        print(f"QSTASH_CURRENT_SIGNING_KEY={keys.current}")
        print(f"QSTASH_NEXT_SIGNING_KEY={keys.following}")


async def _roll(settings: Settings, *, check: bool) -> SigningKeys:
    outside = Services.of(settings)
    try:
        await _require_ready(settings, outside.setup, outside.clock.now_ms() // 1000)
        return await (outside.setup.signing_keys() if check else outside.setup.roll_signing_keys())
    finally:
        await outside.close()


async def _require_ready(settings: Settings, setup: QueueSetup, now_seconds: int) -> None:
    """Raise StackError unless every function takes both keys of the account, as those do that read them there."""
    if settings.queue == "redis":
        return
    account = await setup.signing_keys()
    if (settings.current_signing_key, settings.next_signing_key) != (account.current, account.following):
        raise StackError(
            "not rolled: the settings do not have the account's present keys, so the functions may not, either. Set "
            "both to those of the queue's console, deploy, and see `baton doctor`"
        )
    refused = await refusals(settings, now_seconds)
    if refused:
        lines = "\n".join(f"  - {each}" for each in refused)
        raise StackError(f"not rolled: the next key's signatures would be refused. Deploy both keys first:\n{lines}")


_log = logging.getLogger("baton.audit")

_T = TypeVar("_T")
_STATUS_DONE = 200


def store_settings(data: Path | None) -> Settings | None:
    """Return settings that reach the store: of this folder's running stack, or of the environment; None: none do.

    Without either it is the stack that runs in the default folder. Raises StackError: the settings are wrong.
    """
    if data is None:
        try:
            settings = settings_from_environment()
        except SettingsError as error:
            raise StackError(str(error)) from error
        if settings.resp_url or (settings.redis_url and settings.redis_token):
            return settings
    path = (data or DEFAULT_FOLDER) / DEV_FILE_NAME
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if described.get("store_url"):
            return Settings(resp_url=described["store_url"])
        return Settings(redis_url=described["redis_url"], redis_token=described["redis_token"])
    except FileNotFoundError:
        return None  # it does not run
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read ({type(error).__name__}): start `baton dev` on it again") from error


class KeyStore:
    """The slot table of keys behind these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def let_in(self, key: str, role: Role, tenant: str, label: str) -> None:
        async def work(ports: Ports) -> None:
            digest = hashlib.sha256(key.encode()).hexdigest()
            now_ms = ports.clock.now_ms()
            await ports.api_key_store.add(StoredKey(digest, role, tenant, key_prefix(key), label, now_ms))
            await _audited(ports, "keys create", digest, tenant, {"role": role, "label": label})

        self._run(work)

    def all(self) -> tuple[StoredKey, ...]:
        """Return every key, the oldest first."""
        return self._run(lambda ports: ports.api_key_store.all())

    def revoke(self, key: StoredKey) -> bool:
        """Let a key in no longer; False: it was gone."""

        async def work(ports: Ports) -> bool:
            known = await ports.api_key_store.revoke(key.digest)
            await _audited(ports, "keys revoke", key.digest, key.tenant, {"role": key.role, "label": key.label})
            return known

        return self._run(work)

    def _run(self, work: Callable[[Ports], Awaitable[_T]]) -> _T:
        async def run() -> _T:
            ports = real_ports(self._settings)
            try:
                return await work(ports)
            finally:
                await ports.reader.close()

        try:
            return asyncio.run(run())
        except BatonError as error:
            raise StackError(str(error)) from error


async def _audited(ports: Ports, action: str, digest: str, tenant: str, detail: dict[str, str]) -> None:
    entry = AuditEntry(
        ports.clock.now_ms(), "", "command line", tenant, action, digest[:ID_CHARS], _STATUS_DONE, {**detail}
    )
    try:
        await ports.audit_log.add(entry)
    except StoreError as error:  # the key is changed all the same, and its maker must get to see it
        _log.warning("not kept in the store (%s): %s", error, entry)


_WHERE = (
    "no store is set: set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN (or REDIS_URL), or name a data folder "
    "with --data DIR"
)

_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The local stack of this folder. Without it: the environment's store, else a running `baton dev`.",
)


@click.group()
def keys() -> None:
    """Make, list and revoke API keys; roll the signing keys of the queue; make keys of payloads."""


_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_PAGE = 50


@keys.command()
@click.option(
    "--id", "key_id", default="", metavar="ID", help="Its name, 1 to 32 letters, digits, - or _; none: made up."
)
def payload(*, key_id: str) -> None:
    """Make a key that encrypts payloads (PAYLOAD_KEYS) and print it alone on the last line."""
    key_id = key_id or f"k{token_hex(4)}"
    if not _ID.fullmatch(key_id):
        raise click.BadParameter(f"{key_id!r} is no id: 1 to 32 letters, digits, '-' or '_'", param_hint="--id")
    print(
        "Keep it as a secret, and a copy of it apart: what it encrypts is lost without it. To change keys, add the new"
    )
    print(
        "one second and deploy, put it first and deploy, and run `baton keys reseal` before you take the old one away."
    )
    print(f"{key_id}:{b64encode(token_bytes(32)).decode()}")


@keys.command()
@with_place
@click.option(
    "--rate", type=click.FloatRange(min=0.1), default=20.0, metavar="JOBS", help="So many a second; default 20."
)
def reseal(place: Place, *, rate: float) -> None:
    """Encrypt ended jobs anew by the first key of PAYLOAD_KEYS; repeat it once the running ones have ended."""
    settings = place.settings()
    try:
        require(settings, "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN")
        done = asyncio.run(_resealed(settings, rate))
    except BatonError as error:
        raise StackError(str(error)) from error
    print(f"{done.jobs} ended job(s) looked through, {done.texts} text(s) rewritten; {done.running} still running.")
    if done.unreadable:
        lost = ", ".join(f"{count} by key {key_id!r}" for key_id, count in sorted(done.unreadable.items()))
        raise StackError(f"jobs that cannot be opened, and are left as they are: {lost}. Is the key in PAYLOAD_KEYS?")


async def _resealed(settings: Settings, rate: float) -> "Resealed":
    resealing, ports = real_resealing(settings)
    total, position = Resealed(), ""
    try:
        while True:
            page = await ports.listing.old(position, ports.clock.now_ms() + 1, _PAGE)
            done = await resealing.page(page.found)
            total.jobs, total.texts = total.jobs + done.jobs, total.texts + done.texts
            total.running += done.running
            for key_id, count in done.unreadable.items():
                total.unreadable[key_id] = total.unreadable.get(key_id, 0) + count
            if not (position := page.next):
                total.texts += await resealing.others()
                return total
            await asyncio.sleep(len(page.found) / rate)
    finally:
        await ports.reader.close()


@keys.command()
@click.option("--tenant", required=True, metavar="NAME", help="The tenant whose jobs the key may see.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="client: one tenant's jobs; admin: an operator.")
@click.option("--label", default="", metavar="TEXT", help="A name for the key, such as its holder.")
@_data
def create(*, tenant: str, role: Role, label: str, data: Path | None) -> None:
    """Make a key and print it alone on the last line."""
    key = new_api_key(role)
    try:
        entry = api_key_entry(role, tenant, key)
    except StackError as error:
        raise click.BadParameter(str(error), param_hint="--tenant") from error
    settings = store_settings(data)
    if settings is not None:
        KeyStore(settings).let_in(key, role, tenant, label)
        print(f"Key {_id_of(key)} is in the store: it is accepted at once.")
    elif data is not None:
        add_api_key_entry(data, entry)
        print(f"Added to {data / SECRETS_FILE_NAME}: the next `baton dev --data {data}` accepts the key.")
    else:
        print("No store is set, so the key is accepted nowhere yet. Add this entry to the setting API_KEYS (a comma")
        print("list; it holds the key's digest only), set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or name")
        print("the folder of a `baton dev` with --data DIR:")
        print(f"  {entry}")
    print("The key itself is stored nowhere. Keep it now:")
    print(key)


@keys.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@_data
def list_(*, as_json: bool, data: Path | None) -> None:
    """List the keys: whose they are, when they were made and last used. Those of the setting API_KEYS are not here."""
    rows = _of_folder(data) + _of_store(data)
    if as_json:
        print(json.dumps({"keys": rows}, indent=2))
        return
    print(f"{'id':<13} {'role':<7} {'tenant':<20} {'created':<11} {'last used':<11} {'begins':<18} label")
    for row in rows:
        print(
            f"{row['id']:<13} {row['role']:<7} {row['tenant']:<20} {row['created']:<11} {row['lastUsed']:<11}"
            f" {row['prefix']:<18} {row['label']}"
        )


@keys.command()
@click.argument("key_id", metavar="ID")
@_data
def revoke(key_id: str, data: Path | None) -> None:
    """Revoke a key; ID is its id in `baton keys list`, or the key itself."""
    wanted = _id_of(key_id) if key_id.startswith("bk_") else key_id
    if data is not None and remove_api_key_entry(data, wanted):
        print(f"Removed from {data / SECRETS_FILE_NAME}: the next `baton dev --data {data}` refuses key {wanted}.")
        return
    settings = store_settings(data)
    if settings is None and data is None:
        raise StackError(_WHERE)
    store = KeyStore(settings) if settings is not None else None
    found = [key for key in store.all() if key.digest.startswith(wanted)] if store and wanted else []
    if store is None or len(found) != 1:
        many = f"{len(found)} keys begin with" if found else "there is no key"
        raise StackError(f"{many} {wanted!r}: `baton keys list` shows the ids; keys of API_KEYS are revoked there")
    store.revoke(found[0])
    print(f"Key {found[0].digest[:ID_CHARS]} of {found[0].tenant} is revoked; every process refuses it within 30 s.")


keys.add_command(roll)


def _of_store(data: Path | None) -> list[dict[str, str]]:
    settings = store_settings(data)
    if settings is None and data is None:
        raise StackError(_WHERE)
    return [
        {
            "id": key.digest[:ID_CHARS],
            "role": key.role,
            "tenant": key.tenant,
            "created": datetime.fromtimestamp(key.created_ms / 1000, UTC).date().isoformat(),
            "lastUsed": key.used_day or "never",
            "prefix": key.prefix,
            "label": key.label,
        }
        for key in (KeyStore(settings).all() if settings is not None else ())
    ]


def _of_folder(data: Path | None) -> list[dict[str, str]]:
    """Return the keys that were made while the stack did not run."""
    rows = []
    for entry in api_key_entries(data) if data is not None else ():
        role, tenant, digest = entry.split(":")
        unknown = {"created": "-", "lastUsed": "-", "prefix": "-", "label": f"in {SECRETS_FILE_NAME}"}
        rows.append({"id": digest[:ID_CHARS], "role": role, "tenant": tenant, **unknown})
    return rows


def _id_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:ID_CHARS]
