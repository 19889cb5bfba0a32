-- Before reserve.lua and settle.lua: what calls may spend, and have reserved before they do.
-- KEYS: 1 all budgets, by their last use; then of each want a hash, and the messages that wait for it.
-- Fields of a hash: of a period with its zone spent, held, flying (how many), alone (one of them has no price), largest,
-- asked (by the last one), declared, raised; of a period's name, or of all, limit; lease (the earliest end), last (use), zones;
-- of each call its period, the end of its lease, its amount, and a state: r(eserved), a(lone), l(apsed), s(ettled).
-- ARGV[1]: JSON: name (of the call), wants; now, else the server's time counts.
local plan, call, match, clock, reached = cjson.decode(ARGV[1]), redis.call, string.match, nil, {}
local ALERT_PERCENTS = {100, 80, 50}
local stored = {} -- what was read of each hash: two wants may differ in their zones alone

local function now()
  if not clock then
    local time = not plan.now and call('TIME')
    clock = plan.now or time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock
end

local function get(b, field)
  return tonumber(b.values[field] or 0)
end

local function set(b, field, new)
  b.values[field], b.changed[field] = type(new) == 'number' and string.format('%.0f', new) or new, true
end

local function add(b, field, much)
  set(b, field, math.max(0, get(b, field) + much))
end

-- What is stored of a call; `open`: it may still spend.
local function entry(text)
  local label, till, amount, state = match(text or '', '^(%S+) (%d+) (%d+) (%a)$')
  return label and
    {label = label, till = tonumber(till), amount = tonumber(amount), state = state, open = state == 'r' or state == 'a'}
end

local function put(b, field, label, till, amount, state)
  set(b, field, string.format('%s %.0f %.0f %s', label, till, amount, state))
end

local function read(at, want, name)
  local label, hash, fields = name .. '@' .. want.zone, KEYS[2 * at], {}
  local b = {at = at, ask = want, name = name, label = label, hash = hash, waits = KEYS[2 * at + 1],
    values = stored[hash] or {}, changed = {}, dropped = {}, own = 'call:' .. want.zone .. ' ' .. (plan.name or '')}
  for each in string.gmatch('spent held flying alone largest asked declared raised', '%a+') do
    fields[#fields + 1] = each .. ':' .. label
  end
  for _, each in ipairs({b.own, 'limit', 'limit:' .. name, 'lease', 'last', 'zones', 'largest:' .. (want.prior or '')}) do
    fields[#fields + 1] = each
  end
  stored[hash] = b.values
  for i, text in ipairs(call('HMGET', hash, unpack(fields))) do
    b.values[fields[i]] = text
    b.known = b.known or text
  end
  return b
end

local function limit_of(b)
  local v = b.values
  local limit = v['limit:' .. b.name] or v.limit or b.ask.limit or v['declared:' .. b.label] or 0
  return math.max(tonumber(limit), get(b, 'raised:' .. b.label))
end

local function spend(b, label, much)
  local limit, was = limit_of(b), get(b, 'spent:' .. label)
  add(b, 'spent:' .. label, much)
  for _, share in ipairs(label == b.label and ALERT_PERCENTS or {}) do
    if 100 * was < share * limit and 100 * get(b, 'spent:' .. label) >= share * limit then
      reached[#reached + 1] = {b.at - 1, share, b.name, get(b, 'spent:' .. label), limit}
      return
    end
  end
end

-- The call is over.
local function close(b, e)
  add(b, 'held:' .. e.label, -e.amount)
  add(b, 'flying:' .. e.label, -1)
  if e.state == 'a' then
    set(b, 'alone:' .. e.label, 0)
  end
end

local function in_slices(name, key, texts)
  for i = 1, #texts, 4000 do
    call(name, key, unpack(texts, i, math.min(i + 3999, #texts)))
  end
end

local function write(b)
  local texts, kept_ms = {}, b.ask.kept_ms
  for field in pairs(b.changed) do
    texts[#texts + 1], texts[#texts + 2] = field, b.values[field]
  end
  in_slices('HDEL', b.hash, b.dropped)
  in_slices('HSET', b.hash, texts)
  if b.begins and #texts > 0 and kept_ms > 0 and not b.values.limit then
    call('PEXPIRE', b.hash, kept_ms)
  end
  b.changed, b.dropped, b.begins = {}, {}, false
end
