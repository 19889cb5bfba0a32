-- Shared by the job scripts. A job's state is one hash: `job:<id>`, `usage:<id>`, and `leg:<key>` for each open leg.
-- Every redis call goes through `call`, so that a script knows what it cost (redis-rest.md 11: EVAL + each inner call).
local commands = 1
local function call(...)
  commands = commands + 1
  return redis.call(...)
end

local function load(key)
  local flat, state, order = call('HGETALL', key), {}, {}
  for i = 1, #flat, 2 do
    state[flat[i]] = flat[i + 1]
    order[#order + 1] = flat[i]
  end
  table.sort(order)
  return state, order
end

-- Text search instead of decoding: a fan-out has many legs and most of them are somebody else's.
local function has(json, name, value)
  return string.find(json, '"' .. name .. '":"' .. value .. '"', 1, true) ~= nil
end

-- What a message still carries: the legs that it must hand on before it is acknowledged.
local function carried(state, order, message, except)
  local legs = {}
  for _, field in ipairs(order) do
    local json = state[field]
    if json and field ~= except and string.sub(field, 1, 4) == 'leg:' and has(json, 'carrier', message) then
      legs[#legs + 1] = json
    end
  end
  return legs
end

-- cjson writes '/' as '\/'; the text search above, and people, want it plain.
local function encode(value)
  return (string.gsub(cjson.encode(value), '\\/', '/'))
end
