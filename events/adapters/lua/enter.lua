-- List a job for the sweep. KEYS: jobs, sweep. ARGV: job id, now, sweep at.
-- Answer: 1 if the caller must arm a sweep: none is armed, or the armed one is overdue (it was lost).
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
local armed = tonumber(redis.call('GET', KEYS[2]) or '0')
if armed + 60000 >= tonumber(ARGV[2]) then
  return 0
end
redis.call('SET', KEYS[2], ARGV[3])
return 1
