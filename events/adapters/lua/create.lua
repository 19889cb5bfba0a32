-- CREATE. KEYS: state, transcript, parts.
-- ARGV: job id, message, now, number of state fields, parts, then state field/value pairs, transcript entry, parts.
local job_field = 'job:' .. ARGV[1]
local state, order = load(KEYS[1])
if state[job_field] then
  return {'exists', state[job_field], carried(state, order, ARGV[2])}
end
local pairs_end = 5 + tonumber(ARGV[4])
local fields = {}
for i = 6, pairs_end do
  fields[#fields + 1] = ARGV[i]
end
call('RPUSH', KEYS[2], ARGV[pairs_end + 1])
local parts = {}
for i = pairs_end + 2, pairs_end + 1 + tonumber(ARGV[5]) do
  parts[#parts + 1] = ARGV[i]
end
call('RPUSH', KEYS[3], unpack(parts))
fields[#fields + 1] = 'usage:' .. ARGV[1]
-- The witness is one message; this script is one request; the HSET below is one more command.
fields[#fields + 1] = encode({messages = 1, redis_requests = 1, redis_commands = commands + 1,
                              updated_ms = tonumber(ARGV[3])})
call('HSET', KEYS[1], unpack(fields))
state, order = {}, {}
for i = 1, #fields, 2 do
  state[fields[i]] = fields[i + 1]
  order[#order + 1] = fields[i]
end
return {'created', state[job_field], carried(state, order, ARGV[2])}
