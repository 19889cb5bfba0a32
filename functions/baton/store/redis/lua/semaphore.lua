-- A semaphore, after members.lua: at most `size` members hold it at once, or as many as the field `size` says.
-- ARGV[1]: JSON: now, size, interval (of alarms), members (name → record as it reports itself; or `dropped`, if it was not
-- seen since). Optional: fill (who causes that others hold; absent: nobody is given any), everybody (all untaken are
-- answered, else those that the same one caused), due (the alarm that has come), most (how many of one flow may hold it),
-- alone (no new member enters a queue that has one), writes (command, key, arguments), once: when a new member has
-- `entered`, else when it goes out; a PEXPIRE only where the one before answers what it adds; `ended`: a text for those who
-- count ends. `beside`: texts that stand in the order, too; own_clock (alarms are by the store's).
-- Answer: 1 if who causes it holds, its revision (-1: it did not enter), when an alarm is to be set (0: not), untaken
-- holders (name, record; flat), 1 if `ended` is kept.
local plan, told, texts, unknown = cjson.decode(ARGV[1]), {}, {}, {}
local fields = {'closed', 'alarm', 'holders', 'untaken', 'asking', 'lines', 'size'}
local clock = plan.now

local function may_hold(flow)
  local known = flow and plan.most and value('flow:' .. flow)
  local has_room = not known or known.held < plan.most
  return plan.fill and values.closed == 0 and values.holders < (values.size or plan.size) and has_room
end

-- What comes with a lower revision than before changes nothing.
local function take(name, new)
  local r, field = member(name), 'member:' .. name
  new.seen, new.by = plan.now, ''
  local writes = plan.entered and not r or not plan.entered and r and new.revision > r.revision and r.state ~= 'out'
  r = r or new
  values[field] = r
  if new.revision > r.revision then
    r.revision, r.state, r.ran = new.revision, new.state, r.ran and r.state ~= 'out'
  end
  r.held = r.held and r.state == 'asks'
  if new.revision == r.revision then
    r.seen, r.by = math.max(r.seen, new.seen), r.held and '' or r.by
  end
  -- Where nobody is in line, nobody is passed over.
  if r.state == 'asks' and not r.held and may_hold(r.flow) and values.lines == 0 and (turn(name, queue_of(r)) or name) == name then
    r.held, r.ran, r.by = true, true, ''
  end
  if writes and plan.ended then
    local at = string.format('%015.0f', new.revision) .. '\0' .. name
    come[1], come[2], texts[1], texts[2], plan.kept = 0, 'e' .. at, 'end:' .. at, plan.ended, 1
  end
  for _, text in ipairs(plan.beside or {}) do
    come[#come + 1], come[#come + 2] = 0, text
  end
  put(name)
  local is_new
  for _, each in ipairs(writes and plan.writes or {}) do
    local is_due = is_new or each[1] ~= 'PEXPIRE'
    is_new = is_due and call(each[1], KEYS[each[2]], unpack(each, 3)) == tonumber(each[#each])
  end
end

local function fill()
  while may_hold() and values.lines > 0 do
    local best = call('ZRANGEBYLEX', ORDER, '[f', '(g', 'LIMIT', 0, 1)[1]
    local name = best and match(best, '^[^%z]*%z([^%z]*)%z')
    local r = name and member(name)
    if not r or not found[name].line then
      return
    elseif may_hold(r.flow) then
      r.held, r.ran, r.by = true, true, name == plan.fill and '' or plan.fill
      put(name)
    else -- its flow is out of the others' way, until one of it gives one back
      local flow = value('flow:' .. r.flow)
      flow.place, changed['flow:' .. r.flow] = move(FLOWS, nil, flow.place, nil), true
      write_moved()
    end
  end
end

local function is_alarm_set()
  return values.alarm > (plan.due or 0) and math.abs(values.alarm - clock - plan.interval / 2) <= 1.5 * plan.interval
end

local function alarm()
  if plan.own_clock and values.holders > 0 and not is_alarm_set() then
    local time = call('TIME')
    clock = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local is_due = values.holders > 0 and not is_alarm_set()
  return is_due and (set('alarm', clock + plan.interval) or values.alarm) or 0
end

for name, r in pairs(plan.members) do
  fields[#fields + 1], fields[#fields + 2] = 'member:' .. name, 'flow:' .. r.flow
  fields[#fields + 1] = not r.dropped and not r.free and 'queue:' .. queue_of(r) or nil
end
for i, text in ipairs(call('HMGET', HASH, unpack(fields))) do
  values[fields[i]] = text and cjson.decode(text) or i < 7 and 0
end
for name, new in pairs(plan.members) do
  local r = member(name)
  if plan.alone and not r and turn(name, queue_of(new)) then
    return {0, -1, 0, {}, 0}
  elseif not new.dropped then
    take(name, new)
  elseif r and r.seen == new.seen then
    values['member:' .. name] = false
    put(name)
  end
end
fill()
local range = plan.everybody and {'[u', '(v'} or {'[u' .. (plan.fill or '') .. '\0', '(u' .. (plan.fill or '') .. '\1'}
for _, text in ipairs(plan.fill and values.untaken > 0 and call('ZRANGEBYLEX', ORDER, unpack(range)) or {}) do
  local name = match(text, '%z([^%z]*)$')
  told[#told + 1], told[#told + 2] = name, cjson.encode(member(name))
end
local caused, alarm_ms = values['member:' .. (plan.fill or '')], plan.fill and alarm() or 0
for field in pairs(changed) do
  if values[field] then
    texts[#texts + 1], texts[#texts + 2] = field, cjson.encode(values[field])
  else
    unknown[#unknown + 1] = field
  end
end
local _ = unknown[1] and call('HDEL', HASH, unpack(unknown))
for i = 1, #texts, 4000 do
  call('HSET', HASH, unpack(texts, i, math.min(i + 3999, #texts)))
end
return {caused and caused.held and 1 or 0, caused and caused.revision or 0, alarm_ms, told, plan.kept or 0}
