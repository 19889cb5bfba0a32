-- CREATE. KEYS: state, transcript, parts, tombstone.
-- ARGV: job id, message, now, number of state fields, parts, then state field/value pairs, transcript entry, parts.
local job_id, message, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
load(KEYS[1])
if state['job:' .. job_id] then
  return {'exists', state['job:' .. job_id], carried(message, now)}
end
if call('EXISTS', KEYS[4]) == 1 then
  return {'gone', '', {}}
end
local pairs_end = 5 + tonumber(ARGV[4])
for i = 6, pairs_end, 2 do
  put(ARGV[i], ARGV[i + 1])
end
call('RPUSH', KEYS[2], ARGV[pairs_end + 1])
call('RPUSH', KEYS[3], unpack(ARGV, pairs_end + 2, pairs_end + 1 + tonumber(ARGV[5])))
-- The witness is one message; this script is one request; the HSET below is one more command.
put('usage:' .. job_id, encode({messages = 1, redis_requests = 1, redis_commands = commands + 1, updated_ms = now}))
save(KEYS[1])
return {'created', state['job:' .. job_id], carried(message, now)}
