"""Claims while their work goes on, on Upstash Redis: one script (lua/hold.lua)."""

from collections.abc import Sequence
from functools import cache

from events.adapters import keys
from events.adapters.redis import RedisConnection, script
from events.core.legs import given_back_at_ms
from events.ports import Claim

_text = cache(script)


class RedisHolding:
    """`Holding` over one connection."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        """Prolong claims that their owners still hold."""
        names = [name for claim in claims for name in (claim.leg_key, claim.owner)]
        lost: Sequence[str] = await self._redis.run(
            _text("hold", "state"), [keys.state_key(claims[0].job_id)], [lease_until_ms, "", *names]
        )
        return lost

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> None:
        """End a claim that its owner still holds."""
        how = "begun" if begun else "untouched"
        names = (claim.leg_key, claim.owner)
        await self._redis.run(
            _text("hold", "state"), [keys.state_key(claim.job_id)], [given_back_at_ms(now_ms), how, *names]
        )
