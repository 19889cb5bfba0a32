-- Compare, then write: where all conditions hold, all is written, else nothing.
-- ARGV[1]: JSON: conditions, writes, sums, reads once it is written, with `most`: how many bytes are read at most.
-- A condition: `equal` or `absent` (key, fields, then texts), `ends` (key, a field before the end of its text, an argument
-- that is appended to this: 10 names stay), `count` (key, text, number of values that have it), `any` (key, fields: one is
-- there), or `missing` (two keys). Writes and reads: name, key, arguments. All are indexes of KEYS and ARGV.
-- Sums, by a field of an `equal`: it is not compared, but each of these arguments becomes this text, then the sum of this
-- number and the field's; without a number, the end of the field's text with the argument after it: 25 names.
-- Answer: the number of commands, 1 where it is written, and what was read, or which kind of condition does not hold.
local plan, commands, values = cjson.decode(ARGV[1]), 1, {}
local sums, none = plan.sums or {}, {}

local function call(name, key, ...)
  commands = commands + 1
  return redis.call(name, KEYS[key], ...)
end

-- In slices: Lua's unpack has room for a few thousand values.
local function compare(key, first, count, there)
  for from = first, first + count - 1, 4000 do
    for i, text in ipairs(call('HMGET', key, unpack(ARGV, from, math.min(from + 3999, first + count - 1)))) do
      local sum = sums[tostring(from + i - 1)]
      for _, each in ipairs(sum or none) do
        local at, start, more = unpack(each)
        ARGV[at] = more and start .. string.format('%d', more + (tonumber(text) or 0))
          or string.sub((text or '') .. ARGV[at], -400)
      end
      if not sum and text ~= (there and ARGV[from + i - 1 + count]) then
        return false
      end
    end
  end
  return true
end

local holds = {
  equal = function(key, first, count) return compare(key, first, count, true) end,
  absent = function(key, first, count) return compare(key, first, count, false) end,
  ends = function(key, field, at)
    local text, ending = call('HGET', key, ARGV[field]) or '', ARGV[field + 1]
    ARGV[at] = string.sub(text .. (ARGV[at] or ''), -160)
    return string.sub(text, -#ending) == ending
  end,
  any = function(key, first, count) return not compare(key, first, count, false) end,
  missing = function(key, other) return call('EXISTS', key, KEYS[other]) == 0 end,
  count = function(key, text, number)
    values[key] = values[key] or call('HVALS', key)
    for _, value in ipairs(values[key]) do
      number = number - (string.find(value, ARGV[text], 1, true) and 1 or 0)
    end
    return number == 0
  end,
}

local function run(name, key, first, last)
  if not first then
    return call(name, key)
  end
  local answer
  for from = first, last, 4000 do
    local one = call(name, key, unpack(ARGV, from, math.min(from + 3999, last)))
    if type(one) ~= 'table' or not answer then
      answer = one
    else
      for _, value in ipairs(one) do
        answer[#answer + 1] = value
      end
    end
  end
  return answer
end

-- As the answer has it: as JSON in JSON a quotation mark or a backslash takes two bytes.
local function weight(value)
  local sum = type(value) == 'string' and #value + select(2, string.gsub(value, '["\\]', '')) or 0
  for _, each in ipairs(type(value) == 'table' and value or {}) do
    sum = sum + weight(each)
  end
  return sum
end

-- What would be more than may be read at once is answered by its size.
local function read(reads)
  local found, sum = {}, 0
  for i, each in ipairs(reads or {}) do
    local answer = run(unpack(each))
    local size = weight(answer)
    sum = sum + size
    found[i] = sum <= plan.most and {answer} or {false, size}
  end
  return found
end

for _, each in ipairs(plan.conditions) do
  if not holds[each[1]](unpack(each, 2)) then
    return {commands, 0, {each[1]}}
  end
end
for _, each in ipairs(plan.writes) do
  run(unpack(each))
end
local found = read(plan.reads)
return {commands, 1, found}
