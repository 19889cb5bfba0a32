-- What the scripts of one shard share. `at`: how many keys are before those of the shard that is spoken of.
--  1 lanes: lane → when to look at it next: when its first message is due, or when it was served last
--  2 due: members of one score, `lane|time|message`, so that a lane's messages stand together, in order
--  3 messages: message → what it is (JSON); `message:log` → what the log has of it, if that is not all;
--    `message:` → its state: retried|lease|at once|time|lane
--  4 leases: message → when its lease ends   5 under way: flow key → messages under a lease
--  6 full: members of one score, `flow key|lane`, of lanes that wait for a place   7 log (stream)
local moment = redis.call('TIME')
local now = moment[1] * 1000 + math.floor(moment[2] / 1000)
local at = 0

local function key(n) return KEYS[at + n] end
local function padded(ms) return string.format('%015.0f', ms) end

local function noted(id, text, state, ...)
  redis.call('XADD', key(7), 'MAXLEN', '~', 1000, '*', 'i', id, 's', state, 'm', text, ...)
end

-- Answer: a message's state, its text, and that for the log; nothing: it is gone.
local function state_of(id)
  local text, state, log = unpack(redis.call('HMGET', key(3), id, id .. ':', id .. ':log'))
  if text and state then
    local retried, lease, most, ms, lane = string.match(state, '^(%d+)|([^|]*)|(%d+)|(%d+)|(.*)$')
    return {retried = tonumber(retried), lease = lease, most = tonumber(most), ms = tonumber(ms), lane = lane}, text, log or text
  end
end

local function put_state(id, s, ...)
  local state = table.concat({s.retried, s.lease, s.most, string.format('%.0f', s.ms), s.lane}, '|')
  redis.call('HSET', key(3), id .. ':', state, ...)
end

local function member(id, s) return s.lane .. '|' .. padded(s.ms) .. '|' .. id end

-- Put a message in its lane's line; it is under no lease.
local function line_up(id, s, ms, ...)
  s.lease, s.ms = '', ms
  put_state(id, s, ...)
  redis.call('ZADD', key(2), 0, member(id, s))
  redis.call('ZADD', key(1), 'LT', string.format('%.0f', ms), s.lane)
end

local function flow_of(lane) return string.match(lane, '^([^;]*);') end

-- Take the lease away; lanes of its flow key may go on.
local function release(id, s)
  redis.call('ZREM', key(4), id)
  local flow = flow_of(s.lane)
  if flow ~= '' then
    if redis.call('HINCRBY', key(5), flow, -1) <= 0 then redis.call('HDEL', key(5), flow) end
    for _, full in ipairs(redis.call('ZRANGE', key(6), '[' .. flow .. '|', '(' .. flow .. '}', 'BYLEX', 'LIMIT', 0, 100)) do
      redis.call('ZREM', key(6), full)
      redis.call('ZADD', key(1), 'LT', string.format('%.0f', now), string.sub(full, #flow + 2))
    end
  end
end

local function forget(id) redis.call('HDEL', key(3), id, id .. ':', id .. ':log') end
