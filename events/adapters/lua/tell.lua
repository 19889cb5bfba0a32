-- A fact from outside ends a wait, or is kept until there is one. KEYS: state, calls, results, tombstone.
-- ARGV: job id, message, now, call id ('' for an event), event's name, fact's id, outcome (JSON), run, what was spent before (JSON).
-- The first outcome of a call stays, and an event counts once: a repeat of what is recorded changes nothing.
-- Answer: first, early (the same, of a call that is not there yet: a failover forgot it), again, other (another outcome
-- is recorded), ended, or unknown (the job, or the run); job; what to hand on.
local job_id, message, now, call_id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
load(KEYS[1])
local job = state['job:' .. job_id]
if not job and call('EXISTS', KEYS[4]) == 1 then
  return {'ended', '', {}}
end
local word = call_id ~= '' and call('HEXISTS', KEYS[2], call_id) == 0 and 'early' or 'first'
if not job or word == 'early' and tonumber(ARGV[8]) > run_of(job_id) then
  return {'unknown', '', {}}
end
local kept = call_id ~= '' and call_id or 'event:' .. ARGV[6]
local both = call('HMGET', KEYS[3], kept, 'early:' .. call_id)
local known = both[1] or both[2]
local function already(word)
  local legs = carried(message, now, nil, nil, true)
  save(KEYS[1])
  return {word, job, legs}
end
if known then
  return already(known == ARGV[7] and 'again' or 'other')
end
-- An outcome of an earlier run is none of a call that runs again.
if ended(job_id) or call_id ~= '' and tonumber(ARGV[8]) < run_of(job_id) then
  return already('ended')
end
-- Before its call waits an outcome is kept apart: the call may still end otherwise, or be tried again.
local waits = call_id == ''
for _, field in ipairs(order) do
  waits = waits or is_leg(field) and has(state[field], 'kind', 'wait') and has(state[field], 'call_id', call_id)
end
tag(job_id, '')
call('HSET', KEYS[3], waits and kept or 'early:' .. call_id, ARGV[7])
local taken = call_id ~= ''
for _, leg in ipairs(waits_of(job_id, now)) do
  if leg.call_id == call_id then
    wake(leg, message, now)
  elseif not taken and leg.event == ARGV[5] and call('HSETNX', KEYS[3], leg.call_id, ARGV[7]) == 1 then
    -- Where the clock that ended a wait is ahead of this one, the wait looks open, and is over.
    taken = true
    wake(leg, message, now)
  end
end
if not taken then
  put('event:' .. job_id .. ':' .. ARGV[3] .. ':' .. ARGV[6], ARGV[5])
end
settle(job_id, message, now, 0)
local answer, spent = {word, job, carried(message, now)}, cjson.decode(ARGV[9])
spent.redis_requests = spent.redis_requests + 1
spent.redis_commands = spent.redis_commands + commands + (next(removed) and 2 or 1)
spent.redis_bytes = spent.redis_bytes + bytes_with(answer)
use(job_id, spent)
save(KEYS[1])
return answer
