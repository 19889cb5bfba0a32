-- A job with what a retry or a removal is decided on, as one moment saw it. KEYS: state, calls, transcript.
-- ARGV: job id. Answer: job ('' unknown), calls (flat), how many entries its transcript has, the first two, and what the
-- tree has not told the admission yet: wish, its job; flat.
load(KEYS[1])
local wishes = {}
for _, field in ipairs(order) do
  if is_leg(field) and has(state[field], 'kind', 'wish') then
    local job_id = string.match(state[field], '"job_id":"([^"]+)"')
    wishes[#wishes + 1], wishes[#wishes + 2] = state[field], state['job:' .. job_id]
  end
end
local job = state['job:' .. ARGV[1]]
if not job then
  return {'', {}, 0, {}, {}}
end
return {job, call('HGETALL', KEYS[2]), call('LLEN', KEYS[3]), call('LRANGE', KEYS[3], 0, 1), wishes}
