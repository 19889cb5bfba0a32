-- COMMIT: the first one of a leg wins. KEYS: state, calls, results, transcript, parts.
-- ARGV: job id, leg key, message, header (JSON), then the values that the header counts:
-- state field/value pairs, call field/value pairs, result field/value pairs, transcript entries, parts.
local job_id, leg_field, message, header = ARGV[1], 'leg:' .. ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local state, order = load(KEYS[1])
if not state[leg_field] then
  return {'gone', carried(state, order, message)}
end
local position = 5
local function take(count)
  local values = {}
  for i = position, position + count - 1 do
    values[#values + 1] = ARGV[i]
  end
  position = position + count
  return values
end

-- The leg that was done goes; an end takes all legs of the job with it.
local gone = {leg_field}
state[leg_field] = nil
if header.ends then
  for _, field in ipairs(order) do
    if state[field] and string.sub(field, 1, 4) == 'leg:' and has(state[field], 'job_id', job_id) then
      gone[#gone + 1] = field
      state[field] = nil
    end
  end
end
call('HDEL', KEYS[1], unpack(gone))

local fields = {}
local function put(field, value)
  fields[#fields + 1], fields[#fields + 2] = field, value
  if not state[field] then
    order[#order + 1] = field
  end
  state[field] = value
end
local new = take(header.state)
for i = 1, #new, 2 do
  -- A leg that stands already keeps its carrier and claim.
  if string.sub(new[i], 1, 4) ~= 'leg:' or not state[new[i]] then
    put(new[i], new[i + 1])
  end
end
-- How many of the group are open is computed from what is recorded, never counted down.
if header.join then
  local open = false
  for field, json in pairs(state) do
    open = open or string.sub(field, 1, 4) == 'leg:' and has(json, 'group', header.join.group)
  end
  if not open and not state[header.join.field] then
    put(header.join.field, header.join.leg)
  end
end
local lists = {
  {'HSET', KEYS[2], take(header.calls)}, {'HSET', KEYS[3], take(header.results)},
  {'RPUSH', KEYS[4], take(header.transcript)}, {'RPUSH', KEYS[5], take(header.parts)},
}
for _, list in ipairs(lists) do
  -- In slices: Lua's unpack has room for a few thousand values.
  for from = 1, #list[3], 4000 do
    call(list[1], list[2], unpack(list[3], from, math.min(from + 3999, #list[3])))
  end
end
local usage_field = 'usage:' .. job_id
local usage = cjson.decode(state[usage_field] or '{"messages":0,"redis_requests":0,"redis_commands":0}')
usage.messages = usage.messages + header.messages
usage.redis_requests = usage.redis_requests + header.requests + 1
usage.redis_commands = usage.redis_commands + header.commands + commands + 1
usage.updated_ms = header.now_ms
put(usage_field, encode(usage))
for from = 1, #fields, 4000 do
  call('HSET', KEYS[1], unpack(fields, from, math.min(from + 3999, #fields)))
end
if header.ends then
  for _, key in ipairs(KEYS) do
    call('PEXPIRE', key, header.retention_ms)
  end
end
return {'committed', carried(state, order, message)}
