"""Ports whose methods do something else for once: they fail, before or after they are applied, or something happens."""

from collections.abc import Awaitable, Callable
from typing import Any

Method = Callable[..., Awaitable[Any]]


def around(port: Any, name: str, then: Method) -> None:
    """From now on `then` is called instead of the port's method: with that method first, then with its arguments."""
    method = getattr(port, name)

    async def instead(*arguments: Any, **named: Any) -> Any:
        return await then(method, *arguments, **named)

    setattr(port, name, instead)


def fail(port: Any, name: str, error: Exception, times: int = 1, *, applied: bool = False) -> None:
    """The next calls of this method raise this; `applied`: only their answers are lost."""
    left = times

    async def failing(method: Method, *arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        answer = await method(*arguments, **named) if left < 0 or applied else None
        if left >= 0:
            raise error
        return answer

    around(port, name, failing)
