-- Take jobs off the book, unless they have said something since. KEYS: entries, gone.
-- ARGV: job id, since (ms), job id, since, …
for i = 1, #ARGV, 2 do
  for _, key in ipairs(KEYS) do
    local json = redis.call('HGET', key, ARGV[i])
    if json and cjson.decode(json).since_ms == tonumber(ARGV[i + 1]) then
      redis.call('HDEL', key, ARGV[i])
    end
  end
end
return 1
