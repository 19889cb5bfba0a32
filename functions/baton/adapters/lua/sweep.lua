-- A sweep, or the next page of one: free slots are filled and the next sweep is armed while somebody holds one (by the
-- first page only), and some of those that it looks at are told, with all of their trees.
-- KEYS: as slots.lua. ARGV: as slots.lua; 6 due (0: the backstop), 7 where the page begins (core/sweep_pages.py: `h:` and a
-- holder, `g:` and when somebody gone said so, `a:` and anybody), 8 '1' for the first page, 9 its size.
-- A sweep older than the one armed last is a copy and arms none, nor does a backstop while one is armed.
-- Answer: the next sweep's time (0: none), whom to tell (whosever word gave the slot), entries by job id (flat), whom the
-- next page begins after ('': there is none).
local due, size = tonumber(ARGV[6]), tonumber(ARGV[9])
local phase, after = string.match(ARGV[7], '^(.):(.*)$')
ask_clock()
adopt(nil, true)

local next_ms, tell = 0, {}
if ARGV[8] == '1' then
  set('swept', now)
  fill('sweep')
  local taken = is_armed() and (due == 0 or flags.armed > due)
  if flags.holders > 0 and not taken then
    next_ms = clock + interval
    set('armed', next_ms)
  end
  tell = untold('')
end

local names, following = {}, ''
local function take(found, kind, mark)
  for _, name in ipairs(found) do
    names[#names + 1] = name
  end
  if #names >= size then
    following = kind .. ':' .. mark(names[#names])
  end
end
local function itself(name)
  return name
end
if phase ~= 'g' then
  local lowest = after == '' and '-' or '(' .. after
  take(redis.call('ZRANGEBYLEX', phase == 'h' and HOLDERS or NAMES, lowest, '+', 'LIMIT', 0, size), phase, itself)
end

if phase ~= 'a' and #names < size then
  local lowest = phase == 'g' and '(' .. after or '-inf'
  local highest = string.format('(%.0f', clock - tombstone)
  take(redis.call('ZRANGEBYSCORE', GONE, lowest, highest, 'LIMIT', 0, size - #names), 'g', function(name)
    return redis.call('ZSCORE', GONE, name)
  end)
end

-- With their trees: a look compares all of a tree's jobs.
local shown, seen = {}, {}
for _, name in ipairs(names) do
  local root = string.match(name, '^[^.]*')
  if not seen[root] then
    seen[root], shown[#shown + 1] = true, root
    for _, child in ipairs(redis.call('ZRANGEBYLEX', NAMES, '[' .. root .. '.', '(' .. root .. '/')) do
      shown[#shown + 1] = child
    end
  end
end
save()
local flat = {}
for i = 1, #shown, 4000 do
  local last = math.min(i + 3999, #shown)
  for j, json in ipairs(redis.call('HMGET', JOBS, unpack(shown, i, last))) do
    if json then
      flat[#flat + 1], flat[#flat + 2] = shown[i + j - 1], json
    end
  end
end
return {next_ms, tell, flat, following}
