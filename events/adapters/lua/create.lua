-- CREATE. KEYS: state, transcript, parts, tombstone.
-- ARGV: job id, message, now, what was spent before (JSON), number of state fields, parts, then state field/value pairs, transcript entry, parts.
local job_id, message, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
load(KEYS[1])
if state['job:' .. job_id] then
  local legs = carried(message, now, nil, nil, true)
  save(KEYS[1])
  return {'exists', state['job:' .. job_id], legs}
end
if call('EXISTS', KEYS[4]) == 1 then
  return {'gone', '', {}}
end
local pairs_end = 6 + tonumber(ARGV[5])
for i = 7, pairs_end, 2 do
  put(ARGV[i], ARGV[i + 1])
end
call('RPUSH', KEYS[2], ARGV[pairs_end + 1])
call('RPUSH', KEYS[3], unpack(ARGV, pairs_end + 2, pairs_end + 1 + tonumber(ARGV[6])))
-- This script is one request; the HSET below is one more command.
local answer, spent = {'created', state['job:' .. job_id], carried(message, now)}, cjson.decode(ARGV[4])
spent.redis_requests, spent.redis_commands = spent.redis_requests + 1, spent.redis_commands + commands + 1
spent.redis_bytes = spent.redis_bytes + bytes_with(answer)
use(job_id, spent, now)
save(KEYS[1])
return answer
