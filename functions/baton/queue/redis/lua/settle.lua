-- A message's attempt is over, while its lease is still the one that began it. KEYS: the shard's, dead letters, their order.
-- ARGV: id, lease (empty: whatever it is, and there is none to be), what: done, retry, back, dead, cancel, or renew: it
-- goes on;
-- wait (ms), status, answer, error; of a dead letter: its id, text.
-- Answer: whether it was.
local id, what, wait = ARGV[1], ARGV[3], tonumber(ARGV[4])
local s, _, log = state_of(id)
if not s or (what ~= 'cancel' and s.lease ~= ARGV[2]) then return 0 end
if what == 'renew' then
  redis.call('ZADD', key(4), string.format('%.0f', now + wait), id)
  return 1
end
if s.lease == '' then redis.call('ZREM', key(2), member(id, s)) else release(id, s) end
local answered = {'c', ARGV[5], 'a', ARGV[6], 'e', ARGV[7]}
if what == 'retry' then
  s.retried = s.retried + 1
  line_up(id, s, now + wait)
  noted(id, log, 'RETRY', 'n', string.format('%.0f', now + wait), unpack(answered))
  return 1
elseif what == 'back' then
  line_up(id, s, now)
  return 1
elseif what == 'dead' then
  redis.call('HSET', KEYS[8], ARGV[8], ARGV[9])
  redis.call('ZADD', KEYS[9], string.format('%.0f', now), ARGV[8])
  for _, old in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1001)) do
    redis.call('HDEL', KEYS[8], old)
    redis.call('ZREM', KEYS[9], old)
  end
end
noted(id, log, what == 'done' and 'DELIVERED' or what == 'dead' and 'FAILED' or 'CANCELED', unpack(answered))
forget(id)
return 1
