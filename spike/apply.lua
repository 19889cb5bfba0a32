-- Write blocks whose conditions hold. KEYS: all that is named. ARGV: blocks (JSON, with numbers of KEYS and ARGV), reads
-- where the first one is refused, reads where a later one was written; then the texts. The first block must hold, else
-- nothing is written; each other one is written where its own conditions hold, after what was written before.
-- Condition: {key, n}: so many fields; {key, fields, texts}: each equals that ARGV, is absent (false), or there (true).
local function read(reads)
  local answer = {}
  for n, each in ipairs(reads ~= '' and cjson.decode(reads) or {}) do
    answer[n] = #each[2] == 0 and redis.call('HGETALL', KEYS[each[1]]) or redis.call('HMGET', KEYS[each[1]], unpack(each[2]))
  end
  return answer
end
local function holds(c)
  if #c == 2 then
    return redis.call('HLEN', KEYS[c[1]]) == c[2]
  end
  local found = redis.call('HMGET', KEYS[c[1]], unpack(c[2]))
  for n, index in ipairs(c[3]) do
    local want = index == true and found[n] or index and ARGV[index]
    if found[n] ~= want or index == true and not found[n] then
      return false
    end
  end
  return true
end
local written = {}
for n, block in ipairs(cjson.decode(ARGV[1])) do
  local all = true
  for _, c in ipairs(block[1]) do
    all = all and holds(c)
  end
  if all then
    for _, w in ipairs(block[2]) do
      if #w == 2 then
        redis.call(w[1], KEYS[w[2]])
      end
      for from = w[3] or 1, w[4] or 0, 4000 do
        redis.call(w[1], KEYS[w[2]], unpack(ARGV, from, math.min(from + 3999, w[4])))
      end
    end
    written[#written + 1] = n
  elseif n == 1 then
    return {{}, read(ARGV[2])}
  end
end
return {written, #written > 1 and read(ARGV[3]) or {}}
