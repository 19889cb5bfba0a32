-- Take jobs off the book, unless they have said something since. KEYS: entries. ARGV: job id, since (ms), job id, …
for i = 1, #ARGV, 2 do
  local json = redis.call('HGET', KEYS[1], ARGV[i])
  if json and cjson.decode(json).since_ms == tonumber(ARGV[i + 1]) then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 1
