-- Forget a session. KEYS: the session's memory. ARGV: now (ms), retention (ms). Answer: the ids that were there.
-- The mark only grows: an older word that comes late takes nothing back.
local flat = redis.call('HGETALL', KEYS[1])
local ids, forgotten = {}, tonumber(ARGV[1])
for i = 1, #flat, 2 do
  if flat[i] == 'forgotten' then
    forgotten = math.max(forgotten, tonumber(flat[i + 1]))
  else
    ids[#ids + 1] = string.sub(flat[i], 7)
  end
end
table.sort(ids)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'forgotten', string.format('%.0f', forgotten))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return ids
