-- Before semaphore.lua: members of a semaphore, and the texts by which they are found: a change costs the same however many
-- there are. Those that ask wait in the line of their flow; of a queue's members only the first is in line.
-- KEYS: 1 hash: counters, records of members and flows, sizes of queues, ends. 2 sorted by text, behind letters: 2 names,
-- 3 holders, 4 out (by when seen last), 5 untaken (holders by who caused it, until they ask), 6 queues; lines; flows; ends.
local HASH, ORDER, LETTERS, QUEUES, LINES, FLOWS = KEYS[1], KEYS[2], {'', 'n', 'h', 'o', 'u', 'q', 'q'}, 'q', 'l', 'f'
local COUNTERS, call, match = {[3] = 'holders', [5] = 'untaken'}, redis.call, string.match
local values, changed, found, heads, gone, come = {}, {}, {}, {}, {}, {}

local function value(field)
  if values[field] == nil then
    local text = call('HGET', HASH, field)
    values[field] = text and cjson.decode(text)
  end
  return values[field]
end

local function set(field, new)
  values[field], changed[field] = new, true
end

local function queue_of(r)
  return r.free and '' or r.flow .. '\0' .. r.queue .. '\0'
end

-- The texts by which a member is found; `line`: its place in line, where it is its turn.
local function described(name, r)
  local is, ran = {flow = r.flow, queue = queue_of(r), [2] = name}, r.ran and '0' or '1'
  if r.held then
    is[3], is[5] = name, r.by ~= '' and r.by .. '\0' .. name or nil
  elseif r.state == 'asks' then
    is.line = r.flow .. '\0' .. ran .. r.weight .. r.order
  elseif r.state == 'out' then
    is[4] = string.format('%015.0f', r.seen) .. '\0' .. name
  end
  if not r.free and (r.state == 'asks' or r.state == 'rests' and r.ran) then
    is[6] = is.queue .. (r.held and '0' or '1') .. ran .. r.order
  elseif not r.free and r.state == 'rests' then
    is[7] = r.flow .. '\0\1\0' .. r.order -- beside its flow's queues: no name of one begins so
  end
  return is
end

local function member(name)
  local r = value('member:' .. name)
  found[name] = found[name] or r and described(name, r) or {}
  return r
end

local function write_moved()
  local _ = gone[1] and call('ZREM', ORDER, unpack(gone)), come[1] and call('ZADD', ORDER, unpack(come))
  gone, come = {}, {}
end

-- A prefix ends with a zero, so the text behind all that begin with it ends with a one.
local function first(text)
  write_moved()
  return call('ZRANGEBYLEX', ORDER, '[' .. text, '(' .. string.sub(text, 1, -2) .. '\1', 'LIMIT', 0, 1)[1]
end

-- Whose turn it is in a queue: who holds, else who has held before, else by order. It is that of who is free.
local function turn(name, queue)
  if queue ~= '' and heads[queue] == nil then
    heads[queue] = (value('queue:' .. queue) or 0) > 0 and first(QUEUES .. queue) or false
  end
  return queue == '' and name or heads[queue] and match(heads[queue], '%z([^%z]*)$')
end

local function place(name, queue)
  local next = turn(name, queue)
  return next and (member(next) or true) and found[next].line or nil -- as it was described last: it may be dropped
end

-- In the order of texts, and in the counter of an index, where there is one.
local function move(letter, counter, from, to)
  gone[#gone + 1] = from and from ~= to and letter .. from or nil
  if to and from ~= to then
    come[#come + 1], come[#come + 2] = 0, letter .. to
  end
  if counter and (from == nil) ~= (to == nil) then
    set(counter, values[counter] + (to and 1 or -1))
  end
end

-- Flows go by the first of their lines: who has held before, then who holds least, then by weight and order.
local function rank(name, flow)
  local best, was = first(LINES .. name .. '\0'), flow.place
  local own = best and string.sub(best, #name + 3)
  flow.place = own and string.sub(own, 1, 1) .. string.format('%06d', flow.held) .. string.sub(own, 2) .. '\0' .. name
  move(FLOWS, nil, was, flow.place)
end

-- Keeps a member as it is now; `values` has false for one that is dropped.
local function put(name)
  local was, r = found[name], values['member:' .. name]
  local is = r and described(name, r) or {}
  local queue, owner, turns = is.queue or was.queue, is.flow or was.flow, was[6] ~= is[6] or was.line ~= is.line
  local flow, more = value('flow:' .. owner) or {held = 0}, (is[3] and 1 or 0) - (was[3] and 1 or 0)
  local before = turns and values.lines > 0 and not was[3] and place(name, queue) or nil
  for at = 2, 7 do
    move(LETTERS[at], COUNTERS[at], was[at], is[at])
  end
  if was[6] ~= is[6] or not r and queue ~= '' then -- a number that is zero is removed with who is dropped
    local size = (value('queue:' .. queue) or 0) + (is[6] and 1 or 0) - (was[6] and 1 or 0)
    set('queue:' .. queue, (r or size > 0) and size)
    heads[queue] = size == 1 and is[6] or nil
  end
  found[name], changed['member:' .. name] = is, true
  set('asking', values.asking + (is.line and 1 or 0) - (was.line and 1 or 0))
  local after = turns and values.asking > 0 and not is[3] and place(name, queue) or nil
  move(LINES, 'lines', before, after)
  if before ~= after or more ~= 0 then
    flow.held = flow.held + more
    set('flow:' .. owner, flow)
    if values.lines > 0 or flow.place then
      rank(owner, flow)
    end
  end
  write_moved()
end
