-- Whether the sweep due at ARGV[1] may arm the next one for ARGV[2]: a copy older than the one armed last ends.
-- KEYS: sweep.
if tonumber(redis.call('GET', KEYS[1]) or '0') > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
