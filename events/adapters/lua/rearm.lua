-- Arm the next sweep, while somebody holds a slot. KEYS: entries, sweep. ARGV: due (0: the backstop), now, interval.
-- A sweep older than the one armed last is a copy and arms none, nor does a backstop while one is armed.
-- Answer: the next sweep's time, 0 for none; all entries.
local entries, due, now, interval = redis.call('HGETALL', KEYS[1]), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local armed = tonumber(redis.call('GET', KEYS[2]) or '0')
local taken = due > 0 and armed > due or due == 0 and armed + interval >= now
local active = false
for i = 2, #entries, 2 do
  active = active or cjson.decode(entries[i]).slot
end
if taken or not active then
  return {0, entries}
end
redis.call('SET', KEYS[2], string.format('%.0f', now + interval))
return {now + interval, entries}
