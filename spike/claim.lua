-- Claim the item of a place, where it is the one that is meant, and is free (or the caller's own). KEYS: its hash, then
-- hashes to read. ARGV: place, how the item begins, owner, relay, now, end of the lease, reads where it is granted, reads
-- where it is not (JSON: key number, its fields, [] = all).
local function read(reads)
  local answer = {}
  for n, each in ipairs(cjson.decode(reads)) do
    answer[n] = #each[2] == 0 and redis.call('HGETALL', KEYS[each[1]]) or redis.call('HMGET', KEYS[each[1]], unpack(each[2]))
  end
  return answer
end
local found = redis.call('HMGET', KEYS[1], 'i' .. ARGV[1], 'c' .. ARGV[1])
local item, held, verdict, reads = found[1], found[2], 'gone', ARGV[8]
if item and string.sub(item, 1, #ARGV[2]) == ARGV[2] then
  local owner, free_at = string.match(held, '^(%S+) (%d+)')
  verdict = 'busy'
  if owner == ARGV[3] or tonumber(free_at) <= tonumber(ARGV[5]) then
    verdict, reads = 'granted', ARGV[7]
    redis.call('HSET', KEYS[1], 'c' .. ARGV[1], ARGV[3] .. ' ' .. ARGV[6] .. ' ' .. ARGV[4])
  end
end
return {verdict, item or '', held or '', read(reads)}
