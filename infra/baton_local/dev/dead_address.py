"""A name with two addresses, the first of which is dead, for tests of an app's store and queue.

Invariant: no other name is resolved otherwise than before. Must not open a connection.
"""

import socket
from typing import Any

from baton_local.dev.environment import inherited_environment
from baton_local.dev.ports import LOOPBACK

NAME = "first-address-dead.localhost"
DEAD = "127.0.0.2"


def resolve_if_named() -> bool:
    """Let this process resolve the name, if its environment has it; whether it has.

    uvloop asks the system past `socket.getaddrinfo`, so the process needs asyncio's own loop then.
    """
    if not any(NAME in value for value in inherited_environment().values()):
        return False
    resolve = socket.getaddrinfo

    def resolved(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in (NAME, NAME.encode()):
            return resolve(host, port, *rest, **more)
        return [found for address in (DEAD, LOOPBACK) for found in resolve(address, port, *rest, **more)]

    socket.getaddrinfo = resolved
    return True
