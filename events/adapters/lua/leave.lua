-- Take ended jobs off the book, unless they have said something newer. KEYS: entries. ARGV: job id, lap, job id, lap, …
for i = 1, #ARGV, 2 do
  local json = redis.call('HGET', KEYS[1], ARGV[i])
  if json and cjson.decode(json).lap == tonumber(ARGV[i + 1]) then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 1
