-- BEGIN: load and claim. KEYS: state, calls, transcript, results.
-- ARGV: job id, leg key, message, owner, now, lease until, call id ('' for none).
-- Answer: verdict, free at, commands, job, leg, call, carried, transcript, results (flat).
local job_field, leg_field, message, owner, now = 'job:' .. ARGV[1], 'leg:' .. ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local state, order = load(KEYS[1])
local job, json = state[job_field], state[leg_field]
if not job then
  return {'unknown', 0, commands, '', '', '', {}, {}, {}}
end
if not json then
  return {'applied', 0, commands, job, '', '', carried(state, order, message), {}, {}}
end
local leg = cjson.decode(json)
if leg.not_before_ms > now then
  return {'early', leg.not_before_ms, commands, job, json, '', carried(state, order, message), {}, {}}
end
if leg.owner ~= owner then
  if leg.lease_until_ms > now then
    return {'busy', leg.lease_until_ms, commands, job, json, '', carried(state, order, message), {}, {}}
  end
  leg.owner, leg.carrier, leg.claimed_ms, leg.lease_until_ms = owner, message, now, tonumber(ARGV[6])
  json = encode(leg)
  call('HSET', KEYS[1], leg_field, json)
end
local record = ARGV[7] ~= '' and call('HGET', KEYS[2], ARGV[7]) or ''
local transcript, results = {}, {}
if leg.kind == 'loop' and string.find(job, '"reads_history":true', 1, true) then
  transcript = call('LRANGE', KEYS[3], 0, -1)
  results = call('HGETALL', KEYS[4])
end
return {'granted', 0, commands, job, json, record, carried(state, order, message, leg_field), transcript, results}
