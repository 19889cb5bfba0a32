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
local function weight(value)
  if type(value) == 'string' then
    return #value
  end
  local sum = 0
  for _, item in ipairs(type(value) == 'table' and value or {}) do
    sum = sum + weight(item)
  end
  return sum
end
