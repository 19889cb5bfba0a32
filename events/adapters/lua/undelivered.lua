-- The queue gave up on a message. KEYS: state, calls.
-- ARGV: job id, leg key, source message, callback message, call id, now, whether its endpoint had no place.
-- Counted once for each callback message, so that a repeated callback changes nothing.
-- Answer: job ('' unknown), leg ('' gone), call, what the source message and the callback itself still carry.
local job, leg_field, now = 'job:' .. ARGV[1], 'leg:' .. ARGV[2], tonumber(ARGV[6])
load(KEYS[1])
local function both(except)
  local legs = carried(ARGV[3], now, except)
  for _, leg in ipairs(carried(ARGV[4], now, except)) do
    legs[#legs + 1] = leg
  end
  return legs
end
if not state[job] then
  return {'', '', '', {}}
end
if not state[leg_field] then
  local legs = both()
  save(KEYS[1])
  return {state[job], '', '', legs}
end
release(leg_field, '') -- its event is published anew
local leg, legs = record_of(leg_field), both(leg_field)
if not string.find(',' .. leg.counted, ',' .. ARGV[4] .. ',', 1, true) then
  leg.counted = leg.counted .. ARGV[4] .. ','
  if ARGV[7] == '1' then
    leg.driven = (leg.driven or 0) + 1
  else
    leg.undelivered = leg.undelivered + 1
  end
  put_record(leg_field, leg)
end
save(KEYS[1])
local record = ARGV[5] ~= '' and call('HGET', KEYS[2], ARGV[5]) or ''
return {state[job], state[leg_field], record, legs}
