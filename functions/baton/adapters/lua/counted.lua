-- Before every script, so that each knows what it costs: EVAL and each call in it (redis-rest.md 11), and the bytes of
-- keys and arguments, and of the texts of its answer. The script itself becomes the function `main` below all that it
-- shares; `counted_end.lua` tells what was counted beside its answer.
local commands, server = 1, redis
local redis = {
  call = function(...)
    commands = commands + 1
    return server.call(...)
  end,
}
local function weight(values)
  local sum = 0
  for i = 1, #values do
    local kind = type(values[i])
    sum = sum + (kind == 'string' and #values[i] or kind == 'table' and weight(values[i]) or 0)
  end
  return sum
end

-- The bytes of a request with this answer, which is not changed any more.
local weighed, asked_bytes, answer_bytes
local function bytes_with(answer)
  asked_bytes = asked_bytes or weight(KEYS) + weight(ARGV)
  if weighed ~= answer then
    weighed, answer_bytes = answer, weight({answer})
  end
  return asked_bytes + answer_bytes
end
