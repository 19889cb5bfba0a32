-- The sweep looks at one tree. KEYS: state. ARGV: root job id, message, now, lost after (ms).
-- By progress, not age: never a live lease, never a future timer. What is lost is carried by the sweep's message now.
-- Answer: job ('' unknown), lost legs.
local message, now, lost_after = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local state, order = load(KEYS[1])
local job, lost, fields = state['job:' .. ARGV[1]], {}, {}
if not job then
  return {'', {}}
end
for _, field in ipairs(order) do
  if string.sub(field, 1, 4) == 'leg:' then
    local leg = cjson.decode(state[field])
    local quiet = now - math.max(leg.since_ms, leg.lease_until_ms, leg.not_before_ms)
    if leg.carrier == message or quiet > lost_after then
      leg.since_ms, leg.carrier = now, message
      lost[#lost + 1] = encode(leg)
      fields[#fields + 1], fields[#fields + 2] = field, lost[#lost]
    end
  end
end
if #fields > 0 then
  call('HSET', KEYS[1], unpack(fields))
end
return {job, lost}
