-- Shared by the job scripts, after state.lua: what legs are, which of them a message carries, what a job wishes.
local KEEP_SLOT_MS = 60000
local FOREVER_MS = 9999999999999

-- What a claim appended in mid-work is counted with its job; what its model said of an answer that was not recorded is
-- closed and named, so that no reader takes it for the answer (parts.abandoned). `rest`: what ends that text instead.
local APPEND_COMMANDS = 4
local function let_go(json, job_id, parts_key, rest)
  local text_id, appended = value_of(json, 'text_id'), tonumber(value_of(json, 'appended', '') or 0)
  if rest then
    say(parts_key, rest)
  elseif text_id then
    say(parts_key, {'{"id":"' .. text_id .. '","type":"text-end"}',
      '{"data":{"textId":"' .. text_id .. '"},"type":"data-retry"}', '{"type":"finish-step"}'})
  end
  if appended > 0 then
    use(job_id, {appends = appended, redis_requests = appended, redis_commands = APPEND_COMMANDS * appended})
  end
end

local function is_leg(field)
  return state[field] and string.sub(field, 1, 4) == 'leg:'
end

local function legs_of(job_id)
  local legs = {}
  for _, field in ipairs(order) do
    if is_leg(field) and has(state[field], 'job_id', job_id) then
      legs[#legs + 1] = record_of(field)
    end
  end
  return legs
end

local function is_work(leg)
  return leg.kind == 'loop' or leg.kind == 'call'
end

-- A step of a plan waits for those before it: while one of them has a leg. Empty for a leg that waits for none, such as
-- that of a step which has begun.
local function before(json)
  return has(json, 'kind', 'call') and value_of(json, 'after') or nil
end

local function blocked(json)
  local names = before(json)
  if names then
    for _, field in ipairs(order) do
      for _, name in ipairs(is_leg(field) and {'call_id', 'asks_for'} or {}) do
        local call_id = value_of(state[field], name)
        if call_id and string.find(',' .. names .. ',', ',' .. call_id .. ',', 1, true) then
          return true
        end
      end
    end
  end
  return false
end

-- Whether there is nothing to do for a leg until somebody brings it on: its outcome, or the end of a step before it.
local function held(leg, json)
  return leg.not_before_ms >= FOREVER_MS or blocked(json)
end

local function standing_of(job_id)
  return record_of('standing:' .. job_id, '{"want":"","lap":-1,"slot":false}')
end

-- Model turns and tool runs need the slot, and wait for the wish where the job wishes for one. Of a job that wants none
-- yet, a future one may be handed on: its message waits in the queue.
local function gated(leg, now)
  local standing = is_work(leg) and standing_of(leg.job_id)
  return standing and not standing.slot and (leg.not_before_ms <= now or standing.want == 'slot')
end

-- Whether both are names of the same invocation: what stands before the dot.
local function of_one_invocation(owner, other)
  return string.match(owner, '^[^.]*') == string.match(other, '^[^.]*')
end

-- Whether who commits this leg goes on with nothing: its message may be over before that is (going_on.py).
local function is_released(json, owner)
  return string.find(json, '"handed_on":true', 1, true) or not of_one_invocation(value_of(json, 'owner') or '', owner)
end

-- Somebody else than its owner, or than who is about to be (`free`: also where it has none yet), hands the leg on.
local function release(field, owner, free)
  local leg = record_of(field)
  local others = leg.owner == '' and free or leg.owner ~= '' and not of_one_invocation(leg.owner, owner)
  if others and not leg.handed_on then
    leg.handed_on = true
    put_record(field, leg)
  end
end

-- What a message still carries: the legs that it must hand on before it is acknowledged.
local function fields_carried(message, now, except)
  local fields = {}
  for _, field in ipairs(order) do
    if is_leg(field) and field ~= except and has(state[field], 'carrier', message) then
      local leg = record_of(field)
      if not gated(leg, now) and not held(leg, state[field]) then
        fields[#fields + 1] = field
      end
    end
  end
  table.sort(fields)
  return fields
end

-- These legs, for who has come with the message: `owner` ('' for none). The script saves.
local function carried(message, now, except, owner, free)
  local legs = {}
  for i, field in ipairs(fields_carried(message, now, except)) do
    release(field, owner or '', free)
    legs[i] = state[field]
  end
  return legs
end

local function ended(job_id)
  local job = state['job:' .. job_id]
  return has(job, 'status', 'completed') or has(job, 'status', 'failed') or has(job, 'status', 'cancelled')
end

-- A newer wish replaces the one before; its lap is a time, so that it grows across a failover, too. `later_lap`: of a
-- word that the admission knows and the job has forgotten; 0: none.
local function new_wish(job_id, want, message, now, later_lap)
  local standing = standing_of(job_id)
  remove('leg:wish:' .. job_id .. ':' .. string.format('%.0f', standing.lap))
  local lap = math.max(standing.lap + 1, now, later_lap + 1)
  put_record('standing:' .. job_id, {want = want, lap = lap, slot = false})
  local key = 'wish:' .. job_id .. ':' .. string.format('%.0f', lap)
  put_record('leg:' .. key, {
    key = key, kind = 'wish', job_id = job_id, turn = 1, attempt = lap, want = want, carrier = message, owner = '',
    claimed_ms = 0, lease_until_ms = 0, not_before_ms = 0, since_ms = now, undelivered = 0, counted = '', appended = 0,
  })
end

-- What a wait waits for has come: it is due, and carried by who brings it.
local function wake(leg, message, now)
  leg.not_before_ms, leg.since_ms, leg.carrier = 0, now, message
  put_record('leg:' .. leg.key, leg)
end

-- The waits of a job (or of one call of it) that are not over, in the order of their keys.
local function waits_of(job_id, now, call_id)
  local waits = {}
  for _, field in ipairs(order) do
    if is_leg(field) and has(state[field], 'kind', 'wait') and has(state[field], 'job_id', job_id) then
      local leg = record_of(field)
      if leg.not_before_ms > now and (not call_id or leg.call_id == call_id) then
        waits[#waits + 1] = leg
      end
    end
  end
  return waits
end

-- What the job wants of the admission now: a slot when there is work, kept while results are taken in (admission.py).
local function settle(job_id, message, now, later_lap)
  local standing, want = standing_of(job_id), 'none'
  if ended(job_id) then
    want = 'gone'
  else
    for _, field in ipairs(order) do
      if is_leg(field) and has(state[field], 'job_id', job_id) then
        local leg = record_of(field)
        -- `now` may be long ago, if whoever asks stood still: a leg is no older than it is, a claimed one is due.
        local soon = leg.owner ~= '' or leg.not_before_ms <= math.max(now, leg.since_ms) + KEEP_SLOT_MS
        if soon and leg.kind ~= 'wish' and (standing.want == 'slot' or is_work(leg)) and not blocked(state[field]) then
          want = 'slot'
          break
        end
      end
    end
  end
  if want ~= standing.want or later_lap > 0 then
    new_wish(job_id, want, message, now, later_lap)
  end
end

-- The admission said yes: the slot is taken, and this message hands on the work that waited for it.
local function admit(job_id, message, now)
  local standing = standing_of(job_id)
  standing.slot = standing.want == 'slot'
  put_record('standing:' .. job_id, standing)
  for _, leg in ipairs(legs_of(job_id)) do
    if is_work(leg) and not blocked(state['leg:' .. leg.key]) then
      -- It waited for the slot, for however long: a sweep counts from now.
      leg.carrier, leg.since_ms = message, now
      put_record('leg:' .. leg.key, leg)
    end
  end
end
