-- Messages of one shard become its own. KEYS: the shard's, and the keys of deduplication ids.
-- ARGV: a lease, and its length (ms), for what is due at once and has no flow key: its publisher delivers that itself,
-- without a line (empty: it does not); of each message: id, lane, deliveries at once, delay (ms), which of the keys (0: none), text, its text in the log
-- Answer: the ids; of a message that was there before, the earlier one's. And which of them are under the lease.
local ids, leased = {}, {}
for i = 3, #ARGV, 7 do
  local id, once, is_first = ARGV[i], tonumber(ARGV[i + 4]), true
  if once > 0 then
    is_first = redis.call('SET', KEYS[7 + once], id, 'NX', 'PX', 600000)
    if not is_first then id = redis.call('GET', KEYS[7 + once]) end
  end
  if is_first then
    local s = {retried = 0, lease = ARGV[1], most = tonumber(ARGV[i + 2]), ms = now, lane = ARGV[i + 1]}
    local texts = {id, ARGV[i + 5]}
    if ARGV[i + 6] ~= '' then texts[3], texts[4] = id .. ':log', ARGV[i + 6] end
    if ARGV[1] ~= '' and tonumber(ARGV[i + 3]) == 0 and flow_of(s.lane) == '' then
      put_state(id, s, unpack(texts))
      redis.call('ZADD', key(4), string.format('%.0f', now + tonumber(ARGV[2])), id)
      leased[#leased + 1] = (i - 3) / 7
    else
      line_up(id, s, now + tonumber(ARGV[i + 3]), unpack(texts))
    end
    noted(id, texts[#texts], 'CREATED')
  end
  ids[#ids + 1] = id
end
return {ids, leased}
