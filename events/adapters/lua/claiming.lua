-- Claiming a leg, and what who works on it is told: shared by BEGIN, and by a COMMIT whose invocation goes on in place.

-- The leg as who claims it holds it. The first attempt of a plan's step is announced when it is first claimed.
local function claim(leg, owner, message, now, lease_until, parts_key)
  local field = 'leg:' .. leg.key
  if leg.owner == owner then
    return leg
  end
  let_go(state[field], leg.job_id, parts_key)
  if leg.kind == 'call' and leg.step ~= '' and leg.attempt == 1 and leg.claimed_ms == 0 then
    say(parts_key, {'{"data":{"callId":' .. encode(leg.call_id) .. ',"step":' .. encode(leg.step) ..
      ',"tool":' .. encode(leg.tool) .. '},"type":"data-step-started"}'})
  end
  if leg.kind == 'loop' and leg.owner ~= '' then
    leg.lost = (leg.lost or 0) + 1
  end
  -- Whoever held it has died, or is taken for dead (events/core/abandoned.py).
  if leg.kind ~= 'wish' and leg.owner ~= '' and not of_one_invocation(leg.owner, owner) then
    leg.abandoned = (leg.abandoned or 0) + 1
  end
  -- A wish is held by nobody: who takes it from another one may have lost its message since it was told of it.
  local taken = leg.kind == 'wish' and leg.owner ~= '' and not of_one_invocation(leg.owner, owner)
  leg.handed_on = taken or leg.handed_on and leg.carrier == message or nil
  leg.owner, leg.carrier, leg.claimed_ms = owner, message, now
  -- A wish is no work: nobody needs to be kept from telling it again.
  leg.lease_until_ms = leg.kind == 'wish' and now or lease_until
  leg.appended, leg.text_id = 0, ''
  put_record(field, leg)
  return leg
end

-- Most legs have no deaths, and no field for them.
local function has_died(json)
  return string.find(json, '"abandoned":', 1, true) or string.find(json, '"died":', 1, true)
end

-- What goes on with a step that is done has all its deaths that are known: who was overtaken and still ends the attempt
-- has not heard of those who took it over since (events/core/abandoned.py).
local function with_deaths(field, done)
  local leg, name = record_of(field), 'died'
  local deaths = (done.abandoned or 0) + (done.kind == 'call' and done.died or 0)
  if done.kind == 'loop' and leg.kind == 'loop' and leg.job_id == done.job_id and leg.turn == done.turn then
    name = 'abandoned'
  elseif done.kind ~= 'call' or leg.call_id ~= done.call_id and leg.asks_for ~= done.call_id then
    return
  end
  if deaths > (leg[name] or 0) then
    leg[name] = deaths
    put_record(field, leg)
  end
end

-- The records of calls that this script has written, by their ids: nobody needs to read them back.
local written = {}

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

-- A turn is told what was said, as far as it is still told, with the results of the calls in it. Who knows all that was
-- ever said, by its tag, is told '' instead.
local function said_before(job_id, knows, transcript_key, results_key)
  local job, history = state['job:' .. job_id], tag_of(job_id)
  if history ~= '' and knows == history then
    return '', {}, history
  end
  local untold = string.find(job, '"untold":[0,0]', 1, true) and {0, 0} or cjson.decode(job).untold or {0, 0}
  if untold[2] == 0 then
    local transcript, results = call('LRANGE', transcript_key, 0, -1), call('HGETALL', results_key)
    if history == '' then
      tag(job_id, digest('', results, transcript))
    end
    return transcript, results, tag_of(job_id)
  end
  local transcript = call('LRANGE', transcript_key, 0, untold[1] - 1)
  for _, entry in ipairs(call('LRANGE', transcript_key, untold[2], -1)) do
    transcript[#transcript + 1] = entry
  end
  return transcript, results_named_in(transcript, results_key), ''
end

-- A step is told the results of those before it.
local function results_before(json, results_key)
  local ids, results = {}, {}
  for id in string.gmatch(before(json), '[^,]+') do
    ids[#ids + 1] = id
  end
  for i, result in ipairs(call('HMGET', results_key, unpack(ids))) do
    if result then
      results[#results + 1], results[#results + 2] = ids[i], result
    end
  end
  return results
end

-- What a turn may still use depends on what is used and reserved below each of the jobs above it.
local function levels_of(leg, now)
  local levels, name = {}, leg.job_id
  while name and state['job:' .. name] do
    local reserved = 0
    for _, field in ipairs(order) do
      if is_leg(field) and field ~= 'leg:' .. leg.key and has(state[field], 'kind', 'loop') and not has(state[field], 'owner', '') then
        local other = record_of(field)
        if other.lease_until_ms > now and string.sub(other.job_id, 1, #name + 1) == name .. '.' then
          reserved = reserved + (record_of('job:' .. other.job_id).reserve_tokens or 0)
        end
      end
    end
    levels[#levels + 1] = name == leg.job_id and '' or state['job:' .. name]
    levels[#levels + 1], levels[#levels + 2] = state['below:' .. name] or '', reserved
    name = string.match(name, '^(.*)%.[^.]*$')
  end
  return levels
end

-- How much these texts are, as the answer has them: as JSON in JSON a quotation mark or a backslash takes two bytes.
-- Exact only where that may be more than `most`.
local function weigh(most, ...)
  local size, lists = 0, {...}
  for _, texts in ipairs(lists) do
    for _, text in ipairs(texts) do
      size = size + #text
    end
  end
  if 2 * size <= most then
    return size
  end
  for _, texts in ipairs(lists) do
    for _, text in ipairs(texts) do
      size = size + select(2, string.gsub(text, '["\\]', '%0'))
    end
  end
  return size
end

-- What this script tells in all is bounded by `most`: a leg that is told more by itself is told how much that is, and a
-- further step that is told too much besides is not gone on with (`fits`).
local told_bytes, looked_up = 0, {}
local function fits(leg, results_key, most)
  local json = state['leg:' .. leg.key]
  if told_bytes == 0 or leg.kind ~= 'call' or not before(json) then
    return true
  end
  looked_up[leg.key] = results_before(json, results_key)
  return told_bytes + weigh(most, looked_up[leg.key]) <= most
end

-- What who works on a claimed leg needs: call, transcript, results (flat), a wait's outcome, dependants, levels: of a
-- turn: job ('' for its own), what was used below it, tokens reserved below it; flat, upwards; the history's tag, and
-- how much transcript and results are: of more than `most` they are left out.
local function told(leg, calls_key, transcript_key, results_key, now, knows, most)
  local json, job = state['leg:' .. leg.key], state['job:' .. leg.job_id]
  local record = leg.call_id ~= '' and leg.call_id and (written[leg.call_id] or call('HGET', calls_key, leg.call_id)) or ''
  local transcript, results, outcome, dependants, levels, history = {}, {}, '', {}, {}, ''
  if leg.kind == 'call' and before(json) then
    results = looked_up[leg.key] or results_before(json, results_key)
  end
  -- What becomes of the steps after one that failed is decided with their records.
  local step = record ~= '' and (leg.kind == 'failed' or leg.kind == 'wait') and cjson.decode(record)
  if step and step.dependants and #step.dependants > 0 then
    dependants = call('HMGET', calls_key, unpack(step.dependants))
  end
  if leg.kind == 'wait' then
    -- The first outcome stays: from now on what comes from outside is too late.
    if call('HSETNX', results_key, leg.call_id, leg.otherwise) == 1 then
      tag(leg.job_id, '')
    end
    outcome = call('HGET', results_key, leg.call_id)
  end
  if leg.kind == 'remember' then
    transcript = call('LRANGE', transcript_key, 0, 0)
  end
  if leg.kind == 'loop' then
    if string.find(job, '"reads_history":true', 1, true) then
      transcript, results, history = said_before(leg.job_id, knows, transcript_key, results_key)
    end
    levels = levels_of(leg, now)
  end
  local size = transcript == '' and 0 or weigh(most, transcript, results)
  if size > most then
    transcript, results, history = {}, {}, ''
  else
    told_bytes = told_bytes + size
  end
  -- With its last word a job tells what it has used.
  local usage = leg.kind == 'wish' and usage_text(leg.job_id) or ''
  return record, transcript, results, outcome, dependants, levels, usage, history, size
end

-- Adds to what is told of each of these legs whether a short COMMIT may end it (short_commit.lua): 1, else 0. Those that
-- one name holds of one group stand alike.
local function with_standing(told_of)
  local stands = {}
  for _, each in ipairs(told_of) do
    local job_id, leg = value_of(each[2], 'job_id'), each[2]
    local alike = value_of(leg, 'owner') .. ' ' .. (value_of(leg, 'group') or value_of(leg, 'key'))
    if stands[alike] == nil then
      stands[alike] = server.sha1hex and beside(job_id, 'leg:' .. value_of(leg, 'key')) and 1 or 0
    end
    each[#each + 1] = stands[alike]
  end
  return told_of
end

-- Whether who works on another leg of the job may go on with this one: nobody wants it kept apart (going_on.py).
local function may_go_on(leg, kinds)
  if leg.kind == 'wish' or not kinds[leg.kind] then
    return kinds[leg.kind]
  end
  local apart = string.find(state['job:' .. leg.job_id], '"isolated":true', 1, true)
  return not apart and not (leg.kind == 'call' and leg.isolated)
end
