"""Every public method of the official Python SDKs, as `package Class.method`, by looking at the installed SDKs.

The asynchronous classes have the same methods under the same names; a pipeline has those of `Commands`.
"""

import inspect
from collections.abc import Iterable, Mapping

from qstash import AsyncQStash, QStash, Receiver
from upstash_redis import Redis, commands
from upstash_redis import client as redis_client
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.asyncio import client as async_redis_client
from upstash_vector import AsyncIndex, Index
from upstash_vector.core import index_operations

_COMMAND_CLASSES = ("Commands", "BitFieldCommands", "BitFieldROCommands", "JsonCommands")
_SEARCH_CLASSES = ("SearchCommands", "SearchIndexCommands", "SearchAliasCommands")
_TRANSPORT = "http"


def synchronous() -> Mapping[str, type]:
    return {
        **_resources(QStash("token")),
        "qstash Receiver": Receiver,
        **{f"upstash-redis {name}": getattr(commands, name) for name in (*_COMMAND_CLASSES, *_SEARCH_CLASSES)},
        "upstash-redis Redis": Redis,
        "upstash-redis Pipeline": redis_client.Pipeline,
        "upstash-vector Index": Index,
        "upstash-vector ResumableQueryHandle": index_operations.ResumableQueryHandle,
    }


def asynchronous() -> Mapping[str, type]:
    return {
        **_resources(AsyncQStash("token")),
        **{
            f"upstash-redis {name}": getattr(commands, f"Async{name}") for name in (*_COMMAND_CLASSES, *_SEARCH_CLASSES)
        },
        "upstash-redis Redis": AsyncRedis,
        "upstash-redis Pipeline": async_redis_client.AsyncPipeline,
        "upstash-vector Index": AsyncIndex,
        "upstash-vector ResumableQueryHandle": index_operations.AsyncResumableQueryHandle,
    }


def python_methods(classes: Mapping[str, type]) -> set[str]:
    """The public methods of classes; a client's own are those that `Commands` has not."""
    of_commands = set(_public(commands.Commands)) | set(_public(commands.AsyncCommands))
    return {
        f"{name}.{method}"
        for name, owner in classes.items()
        for method in _public(owner)
        if name == "upstash-redis Commands" or not issubclass(owner, _COMMAND_BASES) or method not in of_commands
    }


_COMMAND_BASES = (commands.Commands, commands.AsyncCommands, commands.PipelineCommands)


def _resources(client: object) -> dict[str, type]:
    return {
        f"qstash {type(resource).__name__.removeprefix('Async')}": type(resource)
        for name, resource in vars(client).items()
        if name != _TRANSPORT
    }


def _public(owner: type) -> Iterable[str]:
    return [name for name, _ in inspect.getmembers(owner, callable) if not name.startswith("_")]
