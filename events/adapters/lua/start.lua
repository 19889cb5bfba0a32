-- Jobs are admitted again: free slots are filled, and a sweep is armed while somebody holds one.
-- KEYS: entries, sweep, stopped. ARGV: now, sweep interval (ms), slots.
-- Answer: when a sweep must be armed (0: not), whom to tell (id, lap, session; flat): a start that is repeated tells again.
local now, interval, sweep_at = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
redis.call('DEL', KEYS[3])
load_book(KEYS[1])
fill(tonumber(ARGV[3]), 'sweep')
save_book(KEYS[1])
if total > 0 and tonumber(redis.call('GET', KEYS[2]) or '0') + interval < now then
  sweep_at = now + interval
  redis.call('SET', KEYS[2], string.format('%.0f', sweep_at))
end
return {sweep_at, untold('')}
