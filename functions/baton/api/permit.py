"""Whether somebody may go on following: for as long as their key or token is good, and not only when they came.

Invariant: a stream ends with its token to the second, and within a minute and a half after its key was revoked; while
the store does not answer, nobody is sent away for it.
"""

from starlette.requests import HTTPConnection

from baton.api.auth import Keys, Principal, too_many
from baton.api.problem import ApiError
from baton.api.stream_token import grant_of
from baton.container import Container
from baton_events.errors import StoreError

_ASKED_EVERY_MS = 60_000
_RETRY_SECONDS = 10
_UNAUTHORIZED = 401


class Permit:
    """What one follower came with."""

    def __init__(self, container: Container, keys: Keys, connection: HTTPConnection, principal: Principal) -> None:
        self._clock, self._keys = container.ports.clock, keys
        self._connection, self._grant = connection, grant_of(connection)
        self._asked_ms = self._clock.now_ms()
        self.key_id = principal.key_id

    async def lasts(self) -> bool:
        """Whether it is still good; of a key that is asked once a minute."""
        now_ms = self._clock.now_ms()
        if self._grant is not None:
            return now_ms < self._grant.expires_ms
        if now_ms - self._asked_ms < _ASKED_EVERY_MS:
            return True
        self._asked_ms = now_ms
        try:
            await self._keys.ask_again(self._connection)
        except ApiError as error:
            return error.status != _UNAUTHORIZED
        except StoreError:
            return True
        return True


def check_room(container: Container, principal: Principal) -> None:
    """Let somebody follow one more stream.

    Raises:
        ApiError: 429, this process holds as many for their key as it may.
    """
    followers = container.followers
    if followers.is_full(principal.key_id):
        detail = f"this key follows {followers.most} jobs here already, as many as FOLLOWERS_PER_KEY allows"
        raise too_many(detail, _RETRY_SECONDS)
