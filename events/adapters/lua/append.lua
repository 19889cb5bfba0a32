-- Append parts in mid-work, only while the owner holds the leg. KEYS: state, parts.
-- ARGV: leg key, owner, sequence, parts. Answer: 1 while the leg is held, else 0.
local leg_field, sequence = 'leg:' .. ARGV[1], tonumber(ARGV[3])
local json = call('HGET', KEYS[1], leg_field)
local leg = json and cjson.decode(json)
if not leg or leg.owner ~= ARGV[2] then
  return 0
end
if #ARGV > 3 and leg.appended < sequence then
  leg.appended = sequence
  call('HSET', KEYS[1], leg_field, encode(leg))
  call('RPUSH', KEYS[2], unpack(ARGV, 4))
end
return 1
