-- Shared by the admission's scripts: its jobs, and the indexes by which a word costs the same however many jobs wait
-- (core/admission.py says what they decide). What is kept for a job follows from its entry alone: `put` changes
-- all indexes by the difference between what they say and what the entry is now.
-- KEYS: 1 jobs, 2 flags, 3 names (all jobs) and 4 holders (of slots) by name, 5 gone (by when they said so), 6 lines,
-- 7 tenants, 8 ranks, 9 held, 10 sessions, 11 untold, 12 to 14 slot table, gone, stopped of versions before; a script's own follow.
-- ARGV: 1 now, 2 slots, 3 sweep interval (ms), 4 tombstone (ms), 5 'store': sweeps are armed by its clock.
local JOBS, FLAGS, NAMES, HOLDERS, GONE, LINES, TENANTS, RANKS, HELD, SESSIONS, UNTOLD = unpack(KEYS, 1, 11)
local now, slots, interval, tombstone = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local FIELDS = {'armed', 'stopped', 'swept', 'adopting', 'holders', 'pending', 'lines', 'untold'}
local flags, changed, entries, kept, dirty, heads = {}, {}, {}, {}, {}, {}
for i, value in ipairs(redis.call('HMGET', FLAGS, unpack(FIELDS))) do
  flags[FIELDS[i]] = tonumber(value or '0')
end

local function set(name, value)
  if flags[name] ~= value then
    flags[name], changed[name] = value, true
  end
end

-- The caller's clock may be wrong; the store is asked for its own only where a sweep is armed.
local clock, asked = now, ARGV[5] ~= 'store'
local function ask_clock()
  if not asked then
    local time = redis.call('TIME')
    asked, clock = true, time[1] * 1000 + math.floor(time[2] / 1000)
  end
end

local function is_child(name) -- it needs no session: it has the one of the job that started it
  return string.find(name, '.', 1, true) ~= nil
end

local function escaped(text)
  return (string.gsub(text, '[%z\1]', {['\0'] = '\1\2', ['\1'] = '\1\1'}))
end

local function session_of(tenant, session_id)
  return escaped(tenant) .. '\0' .. escaped(session_id) .. '\0'
end

local function first(key, prefix)
  return redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. prefix .. '\255', 'LIMIT', 0, 1)[1]
end

-- What the indexes say of an entry. A seat orders a session: who holds a slot, who has started, else the first; a place
-- orders a tenant's line: wake-ups first, then priority, then order.
local function describe(name, e)
  local started, rank = e.started and '0' or '1', string.format('%02d', 99 - e.priority)
  local order = string.format('%015.0f', e.created_ms) .. '\0' .. name
  local d = {slot = e.slot, want = e.want, since_ms = e.since_ms, tenant = escaped(e.tenant)}
  d.waits = e.want == 'slot' and not e.slot
  d.told = e.slot and e.cause ~= '' and e.cause .. '\0' .. name or nil
  if is_child(name) then
    d.place = d.waits and d.tenant .. '\0' .. started .. rank .. order or nil
  elseif e.want == 'slot' or e.want == 'none' and e.started then -- one that is to start later holds nobody up
    d.session = session_of(e.tenant, e.session_id)
    d.seat = d.session .. (e.slot and '0' or '1') .. started .. order .. '\0' .. (e.want == 'slot' and 's' or 'n') .. rank
  end
  return d
end

-- The place of whose turn it is in a session; nil: that one does not wait for a slot.
local function place_of(seat, session, tenant)
  if not seat then
    return nil
  end
  local slot, started, order, want, rank = string.match(string.sub(seat, #session + 1), '^(.)(.)(.*)%z(.)(..)$')
  return slot == '1' and want == 's' and tenant .. '\0' .. started .. rank .. order or nil
end

-- A tenant's rank follows its line's first, and its slots: wake-ups, then who has the fewest, then priority, then order.
local function rank(tenant)
  local before, best, after = redis.call('HGET', RANKS, tenant) or nil, first(LINES, tenant .. '\0'), nil
  if best then
    local rest = string.sub(best, #tenant + 2)
    local held = string.format('%06d', tonumber(redis.call('HGET', HELD, tenant) or '0'))
    after = string.sub(rest, 1, 1) .. held .. string.sub(rest, 2) .. '\0' .. tenant
  end
  if before == after then
    return
  end
  if before then
    redis.call('ZREM', TENANTS, before)
  end
  if after then
    redis.call('ZADD', TENANTS, 0, after)
    redis.call('HSET', RANKS, tenant, after)
  else
    redis.call('HDEL', RANKS, tenant)
  end
end

local function move(tenant, before, after)
  if before == after then
    return false
  end
  if before then
    redis.call('ZREM', LINES, before)
  end
  if after then
    redis.call('ZADD', LINES, 0, after)
  end
  set('lines', flags.lines - (before and 1 or 0) + (after and 1 or 0))
  return true
end

-- The seat of whose turn it is in a session.
local function head_of(session)
  if heads[session] == nil then
    heads[session] = first(SESSIONS, session) or false
  end
  return heads[session]
end

local function reseat(was, is)
  local session, tenant = was.session or is.session, was.tenant or is.tenant
  local before = head_of(session)
  if was.seat then
    redis.call('ZREM', SESSIONS, was.seat)
  end
  if is.seat then
    redis.call('ZADD', SESSIONS, 0, is.seat)
  end
  heads[session] = nil
  if not before then
    heads[session] = is.seat
  end
  return move(tenant, place_of(before, session, tenant), place_of(head_of(session), session, tenant))
end

-- Where sweeps find it.
local function list(name, was, is)
  if not was.want or not is.want then
    redis.call(is.want and 'ZADD' or 'ZREM', NAMES, unpack(is.want and {0, name} or {name}))
  end
  if (was.slot or false) ~= (is.slot or false) then
    redis.call(is.slot and 'ZADD' or 'ZREM', HOLDERS, unpack(is.slot and {0, name} or {name}))
  end
  if is.want == 'gone' and (was.want ~= 'gone' or was.since_ms ~= is.since_ms) then
    redis.call('ZADD', GONE, is.since_ms, name)
  elseif was.want == 'gone' and is.want ~= 'gone' then
    redis.call('ZREM', GONE, name)
  end
end

-- Keeps the entry as it is now; nil: it has left.
local function put(name)
  local was, is = kept[name] or {}, entries[name] and describe(name, entries[name]) or {}
  local tenant, lines = was.tenant or is.tenant, flags.lines
  local slot = (is.slot and 1 or 0) - (was.slot and 1 or 0)
  if slot ~= 0 then
    set('holders', flags.holders + slot)
    redis.call('HINCRBY', HELD, tenant, slot)
  end
  set('pending', flags.pending + (is.waits and 1 or 0) - (was.waits and 1 or 0))
  local moved = was.seat ~= is.seat and reseat(was, is) or move(tenant, was.place, is.place)
  if moved or slot ~= 0 and lines > 0 then
    rank(tenant)
  end
  if was.told ~= is.told then
    set('untold', flags.untold + (is.told and 1 or 0) - (was.told and 1 or 0))
    if was.told then
      redis.call('ZREM', UNTOLD, was.told)
    end
    if is.told then
      redis.call('ZADD', UNTOLD, 0, is.told)
    end
  end
  list(name, was, is)
  kept[name], dirty[name] = is.want and is or nil, true
end

local function entry_of(name)
  if not entries[name] and not dirty[name] then
    local json = redis.call('HGET', JOBS, name)
    if json then
      entries[name] = cjson.decode(json)
      kept[name] = describe(name, entries[name])
    end
  end
  return entries[name]
end

-- A word of a job: one with a lower request epoch changes nothing.
local function hear(e, lap, want, at)
  if lap > e.lap then
    e.slot = e.slot and want == 'slot'
    e.started = e.started and e.want ~= 'gone' -- one that was retried is no wake-up
    e.lap, e.want = lap, want
  end
  if lap == e.lap then -- also a repeated word is news: who says it lives, and its entry must not leave
    e.since_ms = math.max(e.since_ms, at)
  end
  return lap == e.lap
end

local function fill(cause)
  while flags.stopped == 0 and flags.holders < slots and flags.lines > 0 do
    local best = redis.call('ZRANGE', TENANTS, 0, 0)[1]
    local name = best and string.match(best, '^[^%z]*%z(.*)%z[^%z]*$')
    local e = name and entry_of(name)
    if not e or e.slot then
      return
    end
    e.slot, e.started, e.cause = true, true, name ~= cause and cause or ''
    put(name)
  end
end

-- Who holds a slot and has not taken it: id, request epoch, session; flat. `cause` '' means by whosever word.
local function untold(cause)
  local tell, names = {}, {}
  if flags.untold > 0 then
    local lowest, highest = cause == '' and '-' or '[' .. cause .. '\0', cause == '' and '+' or '(' .. cause .. '\0\255'
    for i, member in ipairs(redis.call('ZRANGEBYLEX', UNTOLD, lowest, highest)) do
      names[i] = string.match(member, '%z([^%z]*)$')
    end
    table.sort(names)
  end
  for i, name in ipairs(names) do
    local e = entry_of(name)
    tell[3 * i - 2], tell[3 * i - 1], tell[3 * i] = name, e.lap, e.session_id
  end
  return tell
end

-- When a sweep must be armed, 0: not. One is while somebody holds a slot; one that is overdue was lost, and one that is
-- much too late was armed by a clock that is wrong.
local function is_armed()
  return flags.armed >= clock - interval and flags.armed <= clock + 2 * interval
end

local function arm()
  if flags.holders == 0 or is_armed() then
    return 0
  end
  ask_clock()
  if is_armed() then
    return 0
  end
  set('armed', clock + interval)
  return flags.armed
end

local function save()
  local texts, values = {}, {}
  for name in pairs(dirty) do
    if entries[name] then
      texts[#texts + 1], texts[#texts + 2] = name, cjson.encode(entries[name])
    else
      redis.call('HDEL', JOBS, name)
    end
  end
  for i = 1, #texts, 4000 do
    redis.call('HSET', JOBS, unpack(texts, i, math.min(i + 3999, #texts)))
  end
  for name in pairs(changed) do
    values[#values + 1], values[#values + 2] = name, string.format('%.0f', flags[name])
  end
  if #values > 0 then
    redis.call('HSET', FLAGS, unpack(values))
  end
end
