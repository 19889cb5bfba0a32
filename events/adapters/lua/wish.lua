-- The admission's one entrance: take a job's word, fill the free slots, say whom to tell (admission.py: take).
-- KEYS: entries, sweep. ARGV: job id, lap, want, tenant, session, priority, created, now, slots, sweep interval (ms).
-- Answer: 1 if the asker holds a slot, whom to tell (id, lap, session; flat), when a sweep must be armed (0: not).
local job_id, lap, want, now, slots = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[8]), tonumber(ARGV[9])
local entries, names, dirty = {}, {}, {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  entries[flat[i]] = cjson.decode(flat[i + 1])
  names[#names + 1] = flat[i]
end
local entry = entries[job_id]
if not entry then
  entry = {tenant = ARGV[4], session_id = ARGV[5], priority = tonumber(ARGV[6]), created_ms = tonumber(ARGV[7]),
           lap = -1, want = 'none', slot = false, started = false, cause = '', since_ms = 0}
  entries[job_id], dirty[job_id] = entry, true
  names[#names + 1] = job_id
end
table.sort(names)
if lap > entry.lap then
  entry.slot = entry.slot and want == 'slot'
  entry.lap, entry.want, entry.since_ms, dirty[job_id] = lap, want, now, true
end
local current = lap == entry.lap
if current and entry.slot and entry.cause ~= '' then
  entry.cause, dirty[job_id] = '', true
end

local held, total = {}, 0
for _, e in pairs(entries) do
  if e.slot then
    held[e.tenant], total = (held[e.tenant] or 0) + 1, total + 1
  end
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
  if x.created_ms ~= y.created_ms then
    return x.created_ms < y.created_ms
  end
  return a < b
end
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
  if x.created_ms ~= y.created_ms then
    return x.created_ms < y.created_ms
  end
  return a < b
end
while total < slots do
  local heads = {}
  for _, name in ipairs(names) do
    local e = entries[name]
    local line = e.tenant .. '/' .. e.session_id
    -- One that is to start later does not hold up its session.
    if (e.want == 'slot' or e.want == 'none' and e.started) and (not heads[line] or before(name, heads[line])) then
      heads[line] = name
    end
  end
  local best
  for _, name in pairs(heads) do
    local e = entries[name]
    if e.want == 'slot' and not e.slot and (not best or better(name, best)) then
      best = name
    end
  end
  if not best then
    break
  end
  local e = entries[best]
  e.slot, e.started, e.cause, dirty[best] = true, true, best ~= job_id and job_id or '', true
  held[e.tenant], total = (held[e.tenant] or 0) + 1, total + 1
end

local tell = {}
for _, name in ipairs(names) do
  local e = entries[name]
  if current and e.slot and e.cause == job_id then
    tell[#tell + 1], tell[#tell + 2], tell[#tell + 3] = name, e.lap, e.session_id
  end
end
local fields = {}
for name in pairs(dirty) do
  fields[#fields + 1], fields[#fields + 2] = name, cjson.encode(entries[name])
end
if #fields > 0 then
  redis.call('HSET', KEYS[1], unpack(fields))
end
-- A sweep is armed only while somebody holds a slot, one at a time; an overdue one was lost.
local sweep_at = 0
if total > 0 then
  local armed, interval = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[10])
  if armed + interval < now then
    sweep_at = now + interval
    redis.call('SET', KEYS[2], string.format('%.0f', sweep_at))
  end
end
return {current and entry.slot and 1 or 0, tell, sweep_at}
