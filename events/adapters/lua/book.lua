-- Shared by the admission's scripts: the book, and how free slots are given (events/core/admission.py says the same).
-- Entries are decoded when they are looked at: all of them only where a slot is free and others wait for it, so that a
-- word among many jobs costs little. `stored`: all of them, as they are kept. `waiting`: which of those not looked at
-- wait for a slot; `holding`: which hold one, and how many.
local stored, entries, dirty, held, total = {}, {}, {}, {}, 0
local waiting, holding, holders = {}, {}, 0

local function entry_of(name)
  if not entries[name] and stored[name] then
    entries[name] = cjson.decode(stored[name])
    holders, holding[name], waiting[name] = holders - (holding[name] and 1 or 0), nil, nil
  end
  return entries[name]
end

local function load_book(key)
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local name, text = flat[i], flat[i + 1]
    stored[name] = text
    -- No text in an entry looks like these: in it, quotes have a backslash before them.
    if string.find(text, '"slot":true', 1, true) then
      holders, holding[name] = holders + 1, true
      if not string.find(text, '"cause":""', 1, true) then
        entry_of(name) -- it has not been told yet
      end
    elseif string.find(text, '"want":"slot"', 1, true) then
      waiting[name] = true
    end
  end
end

local function decode_all()
  for name in pairs(stored) do
    entry_of(name)
  end
end

local function count_slots()
  held, total = {}, holders
  for _, e in pairs(entries) do
    if e.slot then
      held[e.tenant], total = (held[e.tenant] or 0) + 1, total + 1
    end
  end
end

local function save_book(key)
  local fields = {}
  for name in pairs(dirty) do
    fields[#fields + 1], fields[#fields + 2] = name, cjson.encode(entries[name])
  end
  if #fields > 0 then
    redis.call('HSET', key, unpack(fields))
  end
end

local function older(a, b)
  local x, y = entries[a].created_ms, entries[b].created_ms
  if x ~= y then
    return x < y
  end
  return a < b
end

-- A session's turn is that of its job which holds a slot, which has started, else of the first in order.
local function before(a, b)
  local x, y = entries[a], entries[b]
  if x.slot ~= y.slot then
    return x.slot
  end
  if x.started ~= y.started then
    return x.started
  end
  return older(a, b)
end

-- Wake-ups first, then the tenant with the fewest slots, then priority, then order.
local function better(a, b)
  local x, y = entries[a], entries[b]
  local p, q = held[x.tenant] or 0, held[y.tenant] or 0
  if x.started ~= y.started then
    return x.started
  end
  if p ~= q then
    return p < q
  end
  if x.priority ~= y.priority then
    return x.priority > y.priority
  end
  return older(a, b)
end

-- Whether it takes part in its session's line: one that is to start later does not hold it up.
local function lives(e)
  return e.want == 'slot' or e.want == 'none' and e.started
end

-- A child needs no session: it has the one of the job that started it.
local function is_child(name)
  return string.find(name, '.', 1, true) ~= nil
end

local function is_busy(tenant, session_id)
  decode_all()
  for name, e in pairs(entries) do
    if lives(e) and not is_child(name) and e.tenant == tenant and e.session_id == session_id then
      return true
    end
  end
  return false
end

-- Whether others may wait for a slot than this one, or before it in its session's line.
local function others_wait(but)
  if next(waiting) then
    return true
  end
  for name, e in pairs(entries) do
    if name ~= but and e.want == 'slot' and not e.slot then
      return true
    end
  end
  local session = entries[but] and not is_child(but) and cjson.encode(entries[but].session_id)
  for name, text in pairs(session and stored or {}) do
    if name ~= but and string.find(text, session, 1, true) then
      return true
    end
  end
  return false
end

local function give(name, cause)
  local e = entries[name]
  e.slot, e.started, e.cause, dirty[name] = true, true, name ~= cause and cause or '', true
  held[e.tenant], total = (held[e.tenant] or 0) + 1, total + 1
end

local function fill(slots, cause)
  count_slots()
  if total >= slots then
    return
  elseif not others_wait(cause) then
    local e = entries[cause]
    if e and e.want == 'slot' and not e.slot then
      give(cause, cause)
    end
    return
  end
  decode_all()
  count_slots()
  while total < slots do
    local heads = {}
    for name, e in pairs(entries) do
      local line = is_child(name) and name or e.tenant .. '/' .. e.session_id
      if lives(e) and (not heads[line] or before(name, heads[line])) then
        heads[line] = name
      end
    end
    local best
    for _, name in pairs(heads) do
      if entries[name].want == 'slot' and not entries[name].slot and (not best or better(name, best)) then
        best = name
      end
    end
    if not best then
      return
    end
    give(best, cause)
  end
end

-- Who holds a slot and has not taken it: id, lap, session; flat. `cause` '' means by whosever word.
local function untold(cause)
  local names, tell = {}, {}
  for name, e in pairs(entries) do
    if e.slot and e.cause ~= '' and (cause == '' or e.cause == cause) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    tell[3 * i - 2], tell[3 * i - 1], tell[3 * i] = name, entries[name].lap, entries[name].session_id
  end
  return tell
end
