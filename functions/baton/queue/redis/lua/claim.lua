-- Lease what is due, from the lanes that were served longest ago. KEYS: those of the shards to look at.
-- ARGV: the lease's name, its length (ms), the most messages.
-- Answer: of each shard, how long nothing else is due (ms; -1: nothing is there); of each message: id, retried, text
local lease, length_ms, left = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local found, waits = {}, {}

-- A pump that died gives nothing back.
local function expire()
  for _, id in ipairs(redis.call('ZRANGE', key(4), '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
    local s = state_of(id)
    redis.call('ZREM', key(4), id)
    if s then
      release(id, s)
      line_up(id, s, now)
    end
  end
end

-- Lease up to `share` messages of a lane; return whether its flow key has no place for the next one.
local function take(lane, share)
  local flow, members = flow_of(lane), redis.call('ZRANGE', key(2), '[' .. lane .. '|', '(' .. lane .. '|' .. padded(now + 1), 'BYLEX', 'LIMIT', 0, share)
  for _, one in ipairs(members) do
    local id = string.match(one, '([^|]*)$')
    local s, text = state_of(id)
    if s and flow ~= '' then
      if s.most > 0 and tonumber(redis.call('HGET', key(5), flow) or 0) >= s.most then return true end
      redis.call('HINCRBY', key(5), flow, 1)
    end
    redis.call('ZREM', key(2), one)
    if s then
      redis.call('ZADD', key(4), string.format('%.0f', now + length_ms), id)
      s.lease = lease
      put_state(id, s)
      left = left - 1
      local n = #found
      found[n + 1], found[n + 2], found[n + 3] = id, s.retried, text
    end
  end
  return false
end

local function serve(lane, share)
  if take(lane, share) then
    redis.call('ZREM', key(1), lane)
    redis.call('ZADD', key(6), 0, flow_of(lane) .. '|' .. lane)
    return
  end
  local following = redis.call('ZRANGE', key(2), '[' .. lane .. '|', '(' .. lane .. '}', 'BYLEX', 'LIMIT', 0, 1)[1]
  if following then
    local ms = tonumber(string.match(following, '|(%d+)|[^|]*$'))
    redis.call('ZADD', key(1), string.format('%.0f', math.max(ms, now)), lane)
  else
    redis.call('ZREM', key(1), lane)
  end
end

for shard = 0, #KEYS / 7 - 1 do
  at = 7 * shard
  expire()
  while left > 0 do
    local lanes = redis.call('ZRANGE', key(1), '-inf', now, 'BYSCORE', 'LIMIT', 0, left)
    if #lanes == 0 then break end
    local share, before = math.max(1, math.floor(left / #lanes)), left
    for _, lane in ipairs(lanes) do
      if left > 0 then serve(lane, math.min(share, left)) end
    end
    if left == before then break end
  end
  local soonest = math.huge
  for n = 1, 4, 3 do
    local first = redis.call('ZRANGE', key(n), 0, 0, 'WITHSCORES')
    if first[2] then soonest = math.min(soonest, math.max(0, tonumber(first[2]) - now)) end
  end
  waits[shard + 1] = soonest < math.huge and soonest or -1
end
return {waits, found}
