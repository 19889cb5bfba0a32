-- A job with what a retry or a removal is decided on, as one moment saw it. KEYS: state, calls, transcript.
-- ARGV: job id. Answer: job ('' unknown), calls (flat), how many entries its transcript has, the first two, what the tree
-- has not told the admission yet: wish, its job, its books; flat, and of the job and those below it that have ended: id,
-- when, the bytes that the books say were stored; flat.
load(KEYS[1])
local wishes, written, below = {}, {}, 'job:' .. ARGV[1] .. '.'
for _, field in ipairs(order) do
  if is_leg(field) and has(state[field], 'kind', 'wish') then
    local job_id = string.match(state[field], '"job_id":"([^"]+)"')
    wishes[#wishes + 1], wishes[#wishes + 2] = state[field], state['job:' .. job_id]
    wishes[#wishes + 1] = state['usage:' .. job_id] or ''
  end
  if (field == 'job:' .. ARGV[1] or string.sub(field, 1, #below) == below) and ended(string.sub(field, 5)) then
    local job_id = string.sub(field, 5)
    local at_ms, size = tonumber(record_of(field).finished_at_ms) or 0, books_of(job_id).written or 0
    written[#written + 1], written[#written + 2] = job_id, string.format('%.0f', at_ms)
    written[#written + 1] = string.format('%.0f', size)
  end
end
local job = state['job:' .. ARGV[1]]
if not job then
  return {'', {}, 0, {}, {}, {}}
end
return {job, call('HGETALL', KEYS[2]), call('LLEN', KEYS[3]), call('LRANGE', KEYS[3], 0, 1), wishes, written}
