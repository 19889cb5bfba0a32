"""Namespaces as a whole: listing, emptying, removing, renaming."""

from baton_local.vector.core import writing
from baton_local.vector.wire.call import Answer, Call
from baton_local.vector.wire.fields import an_object, flag, required_text


async def list_namespaces(call: Call) -> Answer:
    """`/list-namespaces`."""
    return Answer(list(call.engine.index.namespaces), 0)


async def reset(call: Call) -> Answer:
    """`/reset`: one namespace, or with `?all` every one."""
    if "all" in call.query_keys:
        return Answer(await call.engine.write(writing.reset_all), 0)
    return Answer(await call.engine.write(lambda index: writing.reset(index, call.namespace)), 0)


async def delete_namespace(call: Call) -> Answer:
    """`/delete-namespace/<namespace>`."""
    return Answer(await call.engine.write(lambda index: writing.delete_namespace(index, call.namespace)), 0)


async def rename_namespace(call: Call) -> Answer:
    """`/rename-namespace`."""
    body = an_object(call.json())
    name, new_name = required_text(body, "namespace"), required_text(body, "newNamespace")
    replaces = flag(body, "deleteExisting")
    result = await call.engine.write(
        lambda index: writing.rename_namespace(index, name, new_name, delete_existing=replaces)
    )
    return Answer(result, 0)
