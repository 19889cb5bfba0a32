"""A replica has all that was written until it was copied; a failover makes it the store."""

from events.adapters.redis import RedisConnection

REPLICATE, FAIL_OVER = "replicate", "fail over"
_COPY = """
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  redis.call('DEL', key)
end
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  redis.call('COPY', key, ARGV[2] .. string.sub(key, #ARGV[1] + 1))
end
"""
_STORE, _REPLICA = "baton:", "replica:"


async def copy(connection: RedisConnection, step: str) -> None:
    """One of the two."""
    way = (_STORE, _REPLICA) if step == REPLICATE else (_REPLICA, _STORE)
    await connection.execute("EVAL", _COPY, 0, *way)
