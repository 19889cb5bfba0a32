"""The parts of the local stack: what is run for each, and with which settings.

The one place that knows the entry points of the parts. Every part runs with this interpreter and with `-P`, so that a
file of the user's which happens to be called as one of ours hides nothing. The app's settings are those of the
product's settings table: the app cannot tell from them whether it talks to the stand-ins or to the hosted services.
Nothing is started here.
"""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from baton.sdk.distribution import missing_extra
from baton_local.dev.part import Code, Part, http_is_ready, redis_socket_is_ready
from baton_local.dev.ports import LOOPBACK
from baton_local.dev.secrets_file import StackSecrets
from baton_local.redis.valkey import DataDir, server_command

# What differs from production unless the environment says otherwise: few slots, so that the line at them is seen; no
# rate limit, which would only be in a developer's way; logs are for people.
LOCAL_DEFAULTS = {"MAX_CONCURRENT_JOBS": "3", "RATE_LIMIT_PER_MINUTE": "0", "LOG_FORMAT": "text"}


def part_url(ports: Mapping[str, int], part: str) -> str:
    return f"http://{LOOPBACK}:{ports[part]}"


def app_settings(
    ports: Mapping[str, int], stack_secrets: StackSecrets, app: str | None, store_url: str = "", queue: str = "qstash"
) -> dict[str, str]:
    """Return the app's settings.

    `app` is the user's registry as `module:attribute`, None for the samples; `store_url`: of a store over RESP, none
    for REST; `queue`: QUEUE. What the person's own environment says of a store is never meant.
    """
    of_qstash = {
        "QSTASH_URL": part_url(ports, "qstash"),
        "QSTASH_TOKEN": stack_secrets.qstash_token,
        "QSTASH_CURRENT_SIGNING_KEY": stack_secrets.qstash_current_signing_key,
        "QSTASH_NEXT_SIGNING_KEY": stack_secrets.qstash_next_signing_key,
    }
    settings = {
        "QUEUE": queue,
        **(of_qstash if queue == "qstash" else dict.fromkeys(of_qstash, "")),
        **dict.fromkeys(("QUEUE_SIGNING_KEY", "QUEUE_NEXT_SIGNING_KEY"), ""),
        "WORKER_BASE_URL": part_url(ports, "app"),
        "UPSTASH_REDIS_REST_URL": "" if store_url else part_url(ports, "redis_rest"),
        "UPSTASH_REDIS_REST_TOKEN": "" if store_url else stack_secrets.redis_token,
        "UPSTASH_REDIS_URL": "",
        "UPSTASH_REDIS_TOKEN": "",
        "REDIS_URL": store_url,
        "UPSTASH_VECTOR_REST_URL": part_url(ports, "vector"),
        "UPSTASH_VECTOR_REST_TOKEN": stack_secrets.vector_token,
        "API_KEYS": stack_secrets.api_keys_setting(),
        "OPERATIONS_API_KEY": stack_secrets.operations_key,
        "ENABLE_TEST_ENDPOINT": "true",
        "METRICS_PUBLIC": "true",
    }
    return settings if app is None else {**settings, "BATON_APP": app}


PROOF_BYTES = 12
StoreKind = Literal["rest", "resp"]
QueueKind = Literal["qstash", "redis"]
PYTHON = (sys.executable, "-P", "-u")


PartsOf = Callable[["StackPlan"], tuple[Part, ...]]


@dataclass(frozen=True)
class StackOptions:
    """What the person chose; `port` None = the usual ports, 0 = any free ones; `settings` go to the app.

    `ports`: those of other parts than the app.
    `store`: how the app reaches its Redis; `queue`: which one it has. `registers`: the app, topics and schedules with
    the queue; what lives for one job needs neither. `reloads`: a change of the app's code starts the app again.
    `processes`: of the app.
    """

    folder: Path
    app: str | None = None
    port: int | None = None
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    registers: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    parts_of: PartsOf = field(default_factory=lambda: stack_parts)
    store: StoreKind = "rest"
    queue: QueueKind = "qstash"
    reloads: bool = False
    processes: int = 1


@dataclass(frozen=True)
class StackPlan:
    """Everything that the parts of one stack are made from. `listeners`: the sockets on their ports."""

    options: StackOptions
    ports: Mapping[str, int]
    secrets: StackSecrets
    inherited: Mapping[str, str]
    listeners: Mapping[str, int] = field(default_factory=dict[str, int])
    proof: str = field(default_factory=lambda: secrets.token_hex(PROOF_BYTES))

    @property
    def store_url(self) -> str:
        """Where the app reaches its store over RESP; empty: it asks over REST."""
        return f"unix://{quote(str(_redis_data(self).socket_path))}" if self.options.store == "resp" else ""

    def environment(self, **secret_values: str) -> dict[str, str]:
        """Return a part's environment: secrets, which no process list may show, and what proves its identity."""
        return {**self.inherited, **secret_values, "LOCAL_PART_PROOF": self.proof}


def stack_parts(plan: StackPlan) -> tuple[Part, ...]:
    """Return the parts in the order of their start; they stop in the opposite order."""
    bridge = (_redis_rest(plan),) if plan.options.store == "rest" else ()
    apps = [_app(plan, number) for number in range(1, plan.options.processes + 1)]
    queue = (_qstash(plan),) if plan.options.queue == "qstash" else ()
    return _redis(plan), *bridge, _vector(plan), *queue, *apps


def app_environment(plan: StackPlan) -> dict[str, str]:
    objects = {"OBJECT_STORE_URL": f"file://{quote(str(plan.options.folder.absolute()))}/objects"}
    has_objects = not missing_extra("objects", "a folder of large payloads")
    defaults = {**LOCAL_DEFAULTS, **(objects if has_objects else {})}
    return {
        **defaults,
        **plan.inherited,
        **app_settings(plan.ports, plan.secrets, plan.options.app, plan.store_url, plan.options.queue),
    }


def remove_socket_folder(plan: StackPlan) -> None:
    """Take away what a stopped Redis leaves outside the data folder: its socket's folder, when that one is too deep."""
    folder = _redis_data(plan).socket_path.parent
    if not folder.is_relative_to(plan.options.folder):
        shutil.rmtree(folder, ignore_errors=True)


def _redis_data(plan: StackPlan) -> DataDir:
    return DataDir(plan.options.folder / "redis")


def _redis(plan: StackPlan) -> Part:
    data = _redis_data(plan)
    return Part(
        name="redis",
        command=tuple(server_command(data.path)),
        environment=plan.inherited,
        is_ready=partial(redis_socket_is_ready, str(data.socket_path)),
        stop_seconds=5.0,
        log_path=data.log_path,  # the server writes it itself
    )


def _redis_rest(plan: StackPlan) -> Part:
    options = ("--server", f"unix:{_redis_data(plan).socket_path}")
    environment = plan.environment(LOCAL_REDIS_TOKEN=plan.secrets.redis_token)
    return _stand_in(plan, "redis_rest", "redis", options, environment, needs=("redis",))


def _vector(plan: StackPlan) -> Part:
    environment = plan.environment(LOCAL_VECTOR_TOKEN=plan.secrets.vector_token)
    return _stand_in(plan, "vector", "vector", ("--data", str(plan.options.folder / "vector")), environment)


def _qstash(plan: StackPlan) -> Part:
    # As its Redis, which syncs every second: safe from kill -9, not from power cuts.
    options = ("--data", str(plan.options.folder / "qstash"), "--no-sync")
    environment = plan.environment(
        LOCAL_QSTASH_TOKEN=plan.secrets.qstash_token,
        LOCAL_QSTASH_CURRENT_SIGNING_KEY=plan.secrets.qstash_current_signing_key,
        LOCAL_QSTASH_NEXT_SIGNING_KEY=plan.secrets.qstash_next_signing_key,
    )
    return _stand_in(plan, "qstash", "qstash", options, environment)


def _stand_in(
    plan: StackPlan,
    name: str,
    module: str,
    options: tuple[str, ...],
    environment: Mapping[str, str],
    needs: tuple[str, ...] = (),
) -> Part:
    port = plan.ports[name]
    return Part(
        name=name,
        command=(*PYTHON, "-m", f"baton_local.{module}", "--host", LOOPBACK, "--port", str(port), *options),
        environment=environment,
        is_ready=partial(http_is_ready, LOOPBACK, port, "/readyz", plan.proof),
        listener=plan.listeners.get(name),
        needs=needs,
    )


def _app(plan: StackPlan, number: int) -> Part:
    """Return a process of the app. Its probe asks only whether it serves: what it needs is checked by the other parts.

    All take their callers from one socket, so each has a proof of its own. The first one registers what is new.
    """
    options, port, is_first = plan.options, plan.ports["app"], number == 1
    name = "app" if is_first else f"app-{number}"
    proof = f"{plan.proof}/{name}/"
    folder = Path.cwd()
    own = ("--app-dir", str(folder), "--registry", options.app) if options.app is not None else ()
    # A queue that is not in these processes delivers to whichever is free; each of theirs takes what it has room for.
    own = (*own, "--shares") if options.processes > 1 and options.queue == "qstash" else own
    return Part(
        name=name,
        command=(*PYTHON, "-m", "baton_local.dev.app_server", "--host", LOOPBACK, "--port", str(port), *own),
        environment=app_environment(plan) | {"LOCAL_PART_PROOF": proof},
        is_ready=partial(http_is_ready, LOOPBACK, port, "/healthz", proof),
        listener=plan.listeners.get("app"),
        keeps_callers=True,
        stop_seconds=4.0,
        needs=() if is_first else ("app",),
        joins=not is_first,
        with_new_code=("--registers",) if options.registers and is_first else (),
        code=Code(folder, options.app.partition(":")[0]) if options.app is not None and options.reloads else None,
    )
