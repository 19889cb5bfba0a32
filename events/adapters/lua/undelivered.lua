-- The queue gave up on a message. KEYS: state, calls. ARGV: job id, leg key, source message, callback message, call id.
-- Counted once for each callback message, so that a repeated callback changes nothing.
-- Answer: job ('' unknown), leg ('' gone), call, what the source message still carries.
local leg_field = 'leg:' .. ARGV[2]
local state, order = load(KEYS[1])
local job, json = state['job:' .. ARGV[1]], state[leg_field]
if not job then
  return {'', '', '', {}}
end
if not json then
  return {job, '', '', carried(state, order, ARGV[3])}
end
local leg = cjson.decode(json)
if leg.counted ~= ARGV[4] then
  leg.undelivered, leg.counted = leg.undelivered + 1, ARGV[4]
  json = encode(leg)
  call('HSET', KEYS[1], leg_field, json)
end
local record = ARGV[5] ~= '' and call('HGET', KEYS[2], ARGV[5]) or ''
return {job, json, record, carried(state, order, ARGV[3], leg_field)}
