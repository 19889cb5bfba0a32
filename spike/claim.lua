-- Claim an item that is there and free (or the caller's own). KEYS: its hash, then hashes to read. ARGV: item, owner,
-- relay, now, end of the lease, reads where it is granted, reads where it is not (JSON: key number, its fields, [] = all).
local function read(reads)
  local answer = {}
  for n, each in ipairs(cjson.decode(reads)) do
    answer[n] = #each[2] == 0 and redis.call('HGETALL', KEYS[each[1]]) or redis.call('HMGET', KEYS[each[1]], unpack(each[2]))
  end
  return answer
end
local found = redis.call('HMGET', KEYS[1], 'i:' .. ARGV[1], 'c:' .. ARGV[1])
local item, held, verdict, reads = found[1], found[2], 'gone', ARGV[7]
if item then
  local owner, free_at = string.match(held, '^(%S+) (%d+)')
  verdict = 'busy'
  if owner == ARGV[2] or tonumber(free_at) <= tonumber(ARGV[4]) then
    verdict, reads = 'granted', ARGV[6]
    redis.call('HSET', KEYS[1], 'c:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[5] .. ' ' .. ARGV[3])
  end
end
return {verdict, item or '', held or '', read(reads)}
