-- A sweep begins: free slots are filled, the next sweep is armed while somebody holds one.
-- KEYS: entries, sweep, gone, stopped, swept. ARGV: due (0: the backstop), now, interval (ms), slots, tombstone (ms; '': none).
-- A sweep older than the one armed last is a copy and arms none, nor does a backstop while one is armed.
-- Answer: the next sweep's time (0: none), whom to tell (whosever word gave the slot), all entries, and some of those
-- gone that have been so for longer than a tombstone stays.
local due, now, interval = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
load_book(KEYS[1])
local armed_and_stopped = redis.call('MGET', KEYS[2], KEYS[4])
fill(armed_and_stopped[2] and 0 or tonumber(ARGV[4]), 'sweep')
redis.call('SET', KEYS[5], string.format('%.0f', now))
save_book(KEYS[1])
local flat = {}
for name, json in pairs(stored) do
  flat[#flat + 1], flat[#flat + 2] = name, dirty[name] and cjson.encode(entries[name]) or json
end
local old, gone, tombstone = 0, redis.call('HGETALL', KEYS[3]), tonumber(ARGV[5])
for i = 1, #gone, 2 do
  if old < 200 and (not tombstone or now - cjson.decode(gone[i + 1]).since_ms > tombstone) then
    old, flat[#flat + 1], flat[#flat + 2] = old + 1, gone[i], gone[i + 1]
  end
end
local armed = tonumber(armed_and_stopped[1] or '0')
local taken = due > 0 and armed > due or due == 0 and armed + interval >= now
if taken or total == 0 then
  return {0, untold(''), flat}
end
redis.call('SET', KEYS[2], string.format('%.0f', now + interval))
return {now + interval, untold(''), flat}
