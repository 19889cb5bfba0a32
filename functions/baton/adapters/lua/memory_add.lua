-- Keep an entry among a session's newest. KEYS: the session's memory.
-- ARGV: entry id, created (ms), entry (JSON), how many are kept, retention (ms). Answer: 1, or 0 where it was forgotten.
-- Fields: `entry:<id>`: `<created> <entry>`; `forgotten`: entries of jobs submitted until then are refused.
local field, created, kept = 'entry:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
local flat = redis.call('HGETALL', KEYS[1])
local entries = {}
for i = 1, #flat, 2 do
  if flat[i] == 'forgotten' and created <= tonumber(flat[i + 1]) then
    return 0
  end
  if flat[i] ~= 'forgotten' and flat[i] ~= field then
    entries[#entries + 1] = {field = flat[i], created = tonumber(string.match(flat[i + 1], '^%d+'))}
  end
end
entries[#entries + 1] = {field = field, created = created}
table.sort(entries, function(a, b)
  if a.created ~= b.created then
    return a.created > b.created
  end
  return a.field > b.field
end)
redis.call('HSET', KEYS[1], field, ARGV[2] .. ' ' .. ARGV[3])
local gone = {}
for i = kept + 1, #entries do
  gone[#gone + 1] = entries[i].field
end
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
