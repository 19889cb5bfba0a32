-- COMMIT: the first one of a leg wins. KEYS: state, calls, results, transcript, parts; then, where the header says so:
-- the tombstone, if a tree ends or begins again; a report's results; a child's transcript and parts; calls, results,
-- transcript, parts of each job of the family.
-- ARGV: job id, leg key, message, header (JSON; what is 0, '', false or empty is not in it), expected job, then the values
-- that the header counts: what ends a text that was appended before; of each skip its call, result, parts;
-- state field/value pairs, call field/value pairs, result field/value pairs, transcript entries, parts, closing parts,
-- a child's state field/value pairs, transcript, parts. A fact has no leg (''), but the job on which it was decided.
local job_id, leg_field, message, header = ARGV[1], 'leg:' .. ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local now, job_field = header.now_ms or 0, 'job:' .. ARGV[1]
local skips, forgets = header.skips or {}, header.forgets or {}
load(KEYS[1])
if not state[job_field] then
  return {'unknown', {}, {}}
end
local books = counted_in(books_of(job_id))
if ARGV[2] == '' and state[job_field] ~= ARGV[5] then
  return {'changed', {}, {}}
end
-- The legs with which the invocation goes on are claimed here, so that this needs no request of its own, and told as
-- BEGIN tells them; the rest is carried, but for what the invocation has in hand. A COMMIT that is repeated is told of
-- what it claimed before, and claims nothing more; nor does one of a leg that somebody else has handed on or claimed.
local on, but = header.go_on, {}
for _, key in ipairs(on and on.but or {}) do
  but[key] = true
end
local function free_for(leg)
  local free = leg.lease_until_ms <= now and leg.not_before_ms <= now and not but[leg.key]
  return free and (leg.job_id == job_id or leg.kind == 'wish') and may_go_on(leg, on.leases_ms)
end
local function go_on(at_most, free)
  local rest, taken = {}, {}
  for _, field in ipairs(fields_carried(message, now)) do
    local leg = on and record_of(field)
    local room = leg and leg.owner ~= on.owner and #taken < at_most and free_for(leg)
    if leg and (leg.owner == on.owner or room and fits(leg, KEYS[3], on.most_bytes)) then
      leg = claim(leg, on.owner, message, now, now + (on.leases_ms[leg.kind] or 0), KEYS[5])
      taken[#taken + 1] = {
        state['job:' .. leg.job_id], state['leg:' .. leg.key], told(leg, KEYS[2], KEYS[4], KEYS[3], now, on.knows, on.most_bytes),
      }
    elseif not leg or leg.lease_until_ms <= now or not of_one_invocation(leg.owner, header.owner) then
      release(field, header.owner or '', free)
      rest[#rest + 1] = state[field]
    end
  end
  return rest, with_standing(taken)
end
local function gone()
  local rest, taken = go_on(0)
  save(KEYS[1])
  return {'gone', rest, taken}
end
-- A step that waits again, since a failover forgot that those before it were over, is done once they are. What was begun
-- in an earlier run of the job is dropped: a leg of this one may have the same key.
if ARGV[2] ~= '' and (not state[leg_field] or blocked(state[leg_field]) or header.run ~= run_of(job_id)) then
  return gone()
end
-- Nor does a turn count that was added anew since it was claimed: a failover forgot the results that it was told.
if header.since_ms then
  local leg = record_of(leg_field)
  if leg.owner ~= header.owner and leg.since_ms ~= header.since_ms then
    return gone()
  end
end
-- What a wait ended with was recorded when it was begun. Where a failover forgot that, something else may have come, or
-- nothing yet: then whoever told it tells it again.
if string.sub(ARGV[2], 1, 5) == 'wait:' and header.results then
  local at = 6 + (header.state or 0) + (header.calls or 0)
  for _, skip in ipairs(skips) do
    at = at + 2 + skip.parts
  end
  local known = call('HGET', KEYS[3], ARGV[at])
  local open = record_of(leg_field).not_before_ms > now
  if known and known ~= ARGV[at + 1] or not known and open then
    return gone()
  end
end
-- The text that was appended before goes on only if it is there as its owner left it; else it is said anew.
local talk = header.talk
if talk then
  local leg = record_of(leg_field)
  if leg.owner ~= header.owner or leg.text_id ~= talk.text_id or leg.appended ~= talk.appended then
    return {'talk', {}, {}}
  end
end
-- An end is that of all jobs below, too, and of a tree that begins again nothing expires any more: their keys must be
-- declared, so who asks is told of those it forgot.
local family, declared = {}, {}
for _, name in ipairs(header.family or {}) do
  declared[name] = true
end
for _, field in ipairs((header.ends or header.begins_again) and order or {}) do
  if string.sub(field, 1, #job_field + 1) == job_field .. '.' then
    family[#family + 1] = string.sub(field, 5)
    declared.all = declared.all ~= false and declared[string.sub(field, 5)] or false
  end
end
if declared.all == false then
  return {'family', family, {}}
end
local position, next_key = 6, 6
local function take_key()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end
local function take(count)
  local values = {}
  for i = position, position + (count or 0) - 1 do
    values[#values + 1] = ARGV[i]
  end
  position = position + #values
  return values
end

local tombstone = (header.expires or header.begins_again) and take_key()

-- The leg that was done goes; an end takes all legs of the job with it. What an ended job still had to say is out of
-- date when it begins again.
local released = on and ARGV[2] ~= '' and is_released(state[leg_field], header.owner)
local done = ARGV[2] ~= '' and has_died(state[leg_field]) and record_of(leg_field)
if ARGV[2] ~= '' then
  let_go(state[leg_field], job_id, KEYS[5], talk and take(talk.rest))
  remove(leg_field)
end
if header.ends or header.begins_again then
  for _, leg in ipairs(legs_of(job_id)) do
    let_go(state['leg:' .. leg.key], job_id, KEYS[5])
    remove('leg:' .. leg.key)
  end
end
if header.begins_again then
  remove('below:' .. job_id)
  -- An outcome that came before its call was one of the run before, also where that never made the call.
  for _, name in ipairs(call('HKEYS', KEYS[3])) do
    if string.sub(name, 1, 6) == 'early:' then
      forgets[#forgets + 1] = name
    end
  end
  sliced('HDEL', KEYS[3], forgets)
  tag(job_id, '')
end
-- Two steps that fail at the same time skip what comes after both: the first one does.
for _, skip in ipairs(skips) do
  local values = take(2 + skip.parts)
  if state['leg:' .. skip.leg] then
    remove('leg:' .. skip.leg)
    call('HSET', KEYS[2], skip.call_id, values[1])
    call('HSET', KEYS[3], skip.call_id, values[2])
    tag(job_id, '')
    if skip.parts > 0 then
      say(KEYS[5], {unpack(values, 3)})
    end
  end
end
local new = take(header.state)
for i = 1, #new, 2 do
  -- A leg that stands already keeps its carrier and claim.
  if string.sub(new[i], 1, 4) ~= 'leg:' or not state[new[i]] then
    put(new[i], new[i + 1])
    if done and string.sub(new[i], 1, 4) == 'leg:' then
      with_deaths(new[i], done)
    end
  end
end
-- What a new wait waits for may have come before it: its outcome, or an event, of which each ends one wait.
local waits = header.waits and waits_of(job_id, now, header.waits)[1]
local early = header.waits and call('HGET', KEYS[3], 'early:' .. header.waits)
if early then
  call('HSET', KEYS[3], header.waits, early)
  tag(job_id, '')
  if waits then
    wake(waits, message, now)
  end
elseif waits and waits.event ~= '' then
  for _, field in ipairs(order) do
    if state[field] == waits.event and string.sub(field, 1, #job_id + 7) == 'event:' .. job_id .. ':' then
      call('HSET', KEYS[3], waits.call_id, call('HGET', KEYS[3], 'event:' .. string.match(field, '[^:]+$')))
      tag(job_id, '')
      remove(field)
      wake(waits, message, now)
      break
    end
  end
end
-- How many of the group are open is computed from what is recorded, never counted down.
if header.join then
  local open = false
  for _, field in ipairs(order) do
    open = open or is_leg(field) and has(state[field], 'group', header.join.group)
  end
  if not open and not state[header.join.field] then
    put(header.join.field, header.join.leg)
  end
end
if header.admitted then
  admit(job_id, message, now)
end
-- Steps for which this was the last one to wait for are carried by this message.
for _, field in ipairs(order) do
  if is_leg(field) and has(state[field], 'carrier', '') and before(state[field]) and not blocked(state[field]) then
    local leg = record_of(field)
    leg.carrier, leg.since_ms = message, now
    put_record(field, leg)
  end
end
settle(job_id, message, now, header.later_lap or 0)
local calls, results, entries = take(header.calls), take(header.results), take(header.transcript)
for i = 1, #calls, 2 do
  written[calls[i]] = calls[i + 1]
end
sliced('HSET', KEYS[2], calls)
sliced('HSET', KEYS[3], results)
sliced('RPUSH', KEYS[4], entries)
if tag_of(job_id) ~= '' and #results + #entries > 0 then
  tag(job_id, digest(tag_of(job_id), results, entries))
end
say(KEYS[5], take(header.parts))
local closing = take(header.closing)
-- "up": a child's end is the outcome of the call that started it, in the same script.
local parent_id, parent_results = string.match(job_id, '^(.*)%.[^.]*$'), header.report and take_key()
if header.report and state['job:' .. parent_id] then
  call('HSETNX', parent_results, header.report, header.outcome)
  tag(parent_id, '')
  local waiting = waits_of(parent_id, now, header.report)[1]
  if waiting then
    wake(waiting, message, now)
  end
  settle(parent_id, message, now, 0)
end
local above = header.spends and parent_id
while above do
  local below = record_of('below:' .. above, '{"turns":0,"tool_calls":0,"tokens":0,"cost_usd":0}')
  for name, value in pairs(header.spends) do
    below[name] = below[name] + value
  end
  put_record('below:' .. above, below)
  above = string.match(above, '^(.*)%.[^.]*$')
end
if header.child then
  local fields = take(header.child.state)
  for i = 1, #fields, 2 do
    put(fields[i], fields[i + 1])
  end
  tag(header.child.id, '')
  use(header.child.id, {}, now)
  call('RPUSH', take_key(), unpack(take(header.child.transcript)))
  call('RPUSH', take_key(), unpack(take(header.child.parts)))
end
-- "down": children end with their parent, in the same script.
for _, name in ipairs(header.ends and header.family or {}) do
  local parts = KEYS[next_key + 3]
  next_key = next_key + 4
  if state['job:' .. name] and not ended(name) then
    for _, leg in ipairs(legs_of(name)) do
      let_go(state['leg:' .. leg.key], name, parts)
      remove('leg:' .. leg.key)
    end
    local job = record_of('job:' .. name)
    job.status, job.finished_at_ms = 'cancelled', now
    job.error = {type = 'cancelled', message = 'the job that started it has ended', retryable = false}
    put_record('job:' .. name, job)
    settle(name, message, now, 0)
    say(parts, closing)
  end
end
-- What was used before a retry has been told.
if header.begins_again then
  local before = counted_in(books_of(job_id))
  before.appends = nil
  books_of(job_id).before, books_of(job_id).counted = before, books_of(job_id).written
end
-- Its own cost is in the books, too: its request, what is called from here on, and what goes over the wire.
local spent = header.spent or {}
spent.redis_requests = (spent.redis_requests or 0) + 1
use(job_id, spent, now)
-- A fact whose creation adds nothing is told again. Who is released goes on with nothing, also where this answer is lost.
local rest, taken = go_on(on and not released and on.at_most or 0, released or ARGV[2] == '' and not header.state)
local answer = {'committed', rest, taken}
use(job_id, {
  redis_commands = commands + saving() + (tombstone and #KEYS or 0),
  redis_bytes = bytes_with(answer),
})
say_used(said[KEYS[5]] or {}, books, books_of(job_id))
save(KEYS[1])
if tombstone then
  for _, key in ipairs(KEYS) do
    if key == tombstone then
      -- Kept as long again as the data was.
      if header.tombstone then
        call('SET', key, header.tombstone, 'PX', string.format('%.0f', 2 * header.retention_ms))
      else
        call('DEL', key)
      end
    elseif header.expires then
      call('PEXPIRE', key, header.retention_ms)
    else
      call('PERSIST', key)
    end
  end
end
return answer
