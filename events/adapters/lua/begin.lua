-- BEGIN: load and claim. KEYS: state, calls, transcript, results, parts, tombstone.
-- ARGV: job id, leg key, message, owner, now, lease until, ticket (the lap of a granted wish; 0: none), the tag of the
-- history that is known ('': none), and how much may be told at once.
-- Answer: verdict, free at, carried, job, leg, and what `told` says.
local job_id, leg_field, message, owner, now = ARGV[1], 'leg:' .. ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
load(KEYS[1])
local job, json = state['job:' .. job_id], state[leg_field]
local function answer(verdict, free_at)
  if json and record_of(leg_field).carrier == message then
    release(leg_field, owner) -- its own leg: this message is about to be acknowledged
  end
  -- Who has no slot goes on with what it wishes; anybody else has come a second time, and the first one may go on.
  local gated = verdict == 'gated'
  local legs = carried(message, now, not gated and leg_field or nil, owner, not gated)
  save(KEYS[1])
  return {verdict, free_at, legs}
end
if not job then
  -- A failover forgot that this child was started: whoever started it does so again. Or all is gone, for good.
  if state['job:' .. string.match(job_id, '^[^.]+')] or call('EXISTS', KEYS[6]) == 1 then
    return {'applied', 0, {}}
  end
  return {'unknown', 0, {}}
end
if not json then
  return answer('applied', 0)
end
local leg = record_of(leg_field)
if held(leg, json) then
  return answer('applied', 0)
end
if leg.not_before_ms > now then
  return answer('early', leg.not_before_ms)
end
if leg.owner ~= owner and leg.lease_until_ms > now then
  return answer('busy', leg.lease_until_ms)
end
-- A ticket stands for the wish that the admission has granted; one of an earlier wish is void.
local ticket = tonumber(ARGV[7])
local granted = ticket > 0 and standing_of(job_id)
if granted and granted.lap == ticket and granted.want == 'slot' and not granted.slot then
  remove('leg:wish:' .. job_id .. ':' .. ARGV[7])
  admit(job_id, message, now)
  leg = record_of(leg_field)
end
if gated(leg, now) then
  settle(job_id, message, now, 0)
  return answer('gated', 0)
end
leg = claim(leg, owner, message, now, tonumber(ARGV[6]), KEYS[5])
local of_leg = {job, state[leg_field], told(leg, KEYS[2], KEYS[3], KEYS[4], now, ARGV[8], tonumber(ARGV[9]))}
local legs = carried(message, now, leg_field, owner)
save(KEYS[1])
return {'granted', 0, legs, unpack(with_standing({of_leg})[1])}
