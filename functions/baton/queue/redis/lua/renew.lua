-- Leases go on, where they are still those of a pump. KEYS: the shard's. ARGV: their length (ms), and ids, each with its
-- lease. Answer: the ids of the others.
local lost = {}
for i = 2, #ARGV, 2 do
  local s = state_of(ARGV[i])
  if s and s.lease == ARGV[i + 1] then
    redis.call('ZADD', key(4), string.format('%.0f', now + tonumber(ARGV[1])), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
