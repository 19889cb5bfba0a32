-- Messages of one shard become its own. KEYS: the shard's, and the keys of deduplication ids.
-- ARGV: of each message: id, lane, deliveries at once, delay (ms), which of the keys (0: none), text, its text in the log
-- Answer: the ids; of a message that was there before, the earlier one's.
local ids = {}
for i = 1, #ARGV, 7 do
  local id, once, is_first = ARGV[i], tonumber(ARGV[i + 4]), true
  if once > 0 then
    is_first = redis.call('SET', KEYS[7 + once], id, 'NX', 'PX', 600000)
    if not is_first then id = redis.call('GET', KEYS[7 + once]) end
  end
  if is_first then
    redis.call('HSET', key(3), id, ARGV[i + 5])
    line_up(id, {retried = 0, most = tonumber(ARGV[i + 2]), lane = ARGV[i + 1]}, now + tonumber(ARGV[i + 3]))
    if ARGV[i + 6] ~= '' then redis.call('HSET', key(3), id .. ':log', ARGV[i + 6]) end
    noted(id, 'CREATED')
  end
  ids[#ids + 1] = id
end
return ids
