-- What a COMMIT adds to its job's books: what its invocation has used since the COMMIT before it, and its own cost.
local COUNTED = {'messages', 'deliveries', 'redis_requests', 'redis_commands', 'redis_bytes', 'function_ms', 'mb_ms'}
local SAID = {
  {'appends', '"appends":'}, {'messages', '"messages":'}, {'deliveries', '"deliveries":'},
  {'redis_requests', '"redisRequests":'}, {'redis_commands', '"redisCommands":'}, {'redis_bytes', '"redisBytes":'},
  {'function_ms', '"functionMs":'}, {'mb_ms', '"mbMs":'},
}
local EVENT_END = '},"transient":true,"type":"data-event"}'

-- What the books say of each, with how often was appended in mid-work.
local function counted_in(usage)
  local counts = {appends = usage.appends}
  for _, name in ipairs(COUNTED) do
    counts[name] = usage[name] or 0
  end
  return counts
end

-- The part of the event that it ends says it (parts.handled): so a step's cost costs no call, and nothing on the wire.
-- Where it ends two events at once, the first one. Of the texts those from there to there.
local function say_used(texts, before, after, from, to)
  for i = from or 1, to or #texts do
    local text = texts[i]
    if string.sub(text, -#EVENT_END) == EVENT_END then
      local used = {}
      for _, each in ipairs(SAID) do
        local more = (after[each[1]] or 0) - (before[each[1]] or 0)
        if more ~= 0 then
          used[#used + 1] = each[2] .. string.format('%.0f', more)
        end
      end
      texts[i] = string.sub(text, 1, -#EVENT_END - 1) .. ',"used":{' .. table.concat(used, ',') .. '}' .. EVENT_END
      return
    end
  end
end
