-- BEGIN: load and claim. KEYS: state, calls, transcript, results, parts, tombstone.
-- ARGV: job id, leg key, message, owner, now, lease until, call id ('' for none), a part for the first claim ('' for none).
-- Answer: verdict, free at, commands, job, leg, call, carried, transcript, results (flat), a wait's outcome, dependants,
-- levels: of a turn: job ('' for its own), what was used below it, tokens reserved below it; flat, upwards.
local job_id, leg_field, message, owner, now = ARGV[1], 'leg:' .. ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
load(KEYS[1])
local job, json = state['job:' .. job_id], state[leg_field]
local function answer(verdict, free_at)
  return {verdict, free_at, commands, job, '', '', carried(message, now, verdict ~= 'gated' and leg_field or nil), {}, {}, '', {}, {}}
end
if not job then
  -- A failover forgot that this child was started: whoever started it does so again. Or all is gone, for good.
  if state['job:' .. string.match(job_id, '^[^.]+')] or call('EXISTS', KEYS[6]) == 1 then
    return {'applied', 0, commands, '', '', '', {}, {}, {}, '', {}, {}}
  end
  return {'unknown', 0, commands, '', '', '', {}, {}, {}, '', {}, {}}
end
if not json then
  return answer('applied', 0)
end
local leg = cjson.decode(json)
if held(leg, json) then
  return answer('applied', 0)
end
if leg.not_before_ms > now then
  return answer('early', leg.not_before_ms)
end
if leg.owner ~= owner and leg.lease_until_ms > now then
  return answer('busy', leg.lease_until_ms)
end
if gated(leg, now) then
  settle(job_id, message, now, 0)
  save(KEYS[1])
  return answer('gated', 0)
end
if leg.owner ~= owner then
  -- A wish is no work: nobody needs to be kept from telling it again.
  local lease_until, first = leg.kind == 'wish' and now or tonumber(ARGV[6]), leg.claimed_ms == 0
  if leg.kind == 'loop' and leg.owner ~= '' then
    leg.lost = (leg.lost or 0) + 1
  end
  let_go(json, job_id, KEYS[5])
  leg.owner, leg.carrier, leg.claimed_ms, leg.lease_until_ms = owner, message, now, lease_until
  leg.appended, leg.text_id = 0, ''
  put(leg_field, encode(leg))
  save(KEYS[1])
  if first and ARGV[8] ~= '' then
    call('RPUSH', KEYS[5], ARGV[8])
  end
end
local record = ARGV[7] ~= '' and call('HGET', KEYS[2], ARGV[7]) or ''
-- An entry's text has `"id":"…"` for each of its calls; whatever else looks like that has no result.
local function results_named_in(entries, key)
  local ids, found = {}, {}
  for _, entry in ipairs(entries) do
    for id in string.gmatch(entry, '"id":"([^"]+)"') do
      ids[#ids + 1] = id
    end
  end
  for from = 1, #ids, 4000 do
    local slice = {unpack(ids, from, math.min(from + 3999, #ids))}
    for i, result in ipairs(call('HMGET', key, unpack(slice))) do
      if result then
        found[#found + 1], found[#found + 2] = slice[i], result
      end
    end
  end
  return found
end

local transcript, results, outcome, dependants = {}, {}, '', {}
-- A step is told the results of those before it.
if leg.kind == 'call' and before(json) then
  local ids = {}
  for id in string.gmatch(before(json), '[^,]+') do
    ids[#ids + 1] = id
  end
  for i, result in ipairs(call('HMGET', KEYS[4], unpack(ids))) do
    if result then
      results[#results + 1], results[#results + 2] = ids[i], result
    end
  end
end
-- What becomes of the steps after one that failed is decided with their records.
local step = record ~= '' and (leg.kind == 'failed' or leg.kind == 'wait') and cjson.decode(record)
if step and step.dependants and #step.dependants > 0 then
  dependants = call('HMGET', KEYS[2], unpack(step.dependants))
end
if leg.kind == 'wait' then
  -- The first outcome stays: from now on what comes from outside is too late.
  call('HSETNX', KEYS[4], leg.call_id, leg.otherwise)
  outcome = call('HGET', KEYS[4], leg.call_id)
end
if leg.kind == 'remember' then
  transcript = call('LRANGE', KEYS[3], 0, 0)
end
if leg.kind == 'loop' and string.find(job, '"reads_history":true', 1, true) then
  local untold = string.find(job, '"untold":[0,0]', 1, true) and {0, 0} or cjson.decode(job).untold or {0, 0}
  if untold[2] == 0 then
    transcript = call('LRANGE', KEYS[3], 0, -1)
    results = call('HGETALL', KEYS[4])
  else
    transcript = call('LRANGE', KEYS[3], 0, untold[1] - 1)
    for _, entry in ipairs(call('LRANGE', KEYS[3], untold[2], -1)) do
      transcript[#transcript + 1] = entry
    end
    results = results_named_in(transcript, KEYS[4])
  end
end
-- What a turn may still use depends on what is used and reserved below each of the jobs above it.
local levels, name = {}, leg.kind == 'loop' and job_id or nil
while name and state['job:' .. name] do
  local reserved = 0
  for _, field in ipairs(order) do
    if is_leg(field) and field ~= leg_field and has(state[field], 'kind', 'loop') and not has(state[field], 'owner', '') then
      local other = cjson.decode(state[field])
      if other.lease_until_ms > now and string.sub(other.job_id, 1, #name + 1) == name .. '.' then
        reserved = reserved + (cjson.decode(state['job:' .. other.job_id]).reserve_tokens or 0)
      end
    end
  end
  levels[#levels + 1] = name == job_id and '' or state['job:' .. name]
  levels[#levels + 1], levels[#levels + 2] = state['below:' .. name] or '', reserved
  name = string.match(name, '^(.*)%.[^.]*$')
end
return {'granted', 0, commands, job, state[leg_field], record, carried(message, now, leg_field), transcript, results, outcome, dependants, levels}
