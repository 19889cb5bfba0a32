-- What a COMMIT adds to its job's books: what its invocation has used since the COMMIT before it, and its own cost.
local COUNTED = {'messages', 'deliveries', 'redis_requests', 'redis_commands', 'redis_bytes', 'function_ms', 'mb_ms'}
local EVENT_END = '},"transient":true,"type":"data-event"}'

-- The part of the event that it ends says it (parts.handled): so a step's cost costs no call, and nothing on the wire.
-- Where it ends two events at once, the first one.
local function say_used(texts, before, after)
  for i, text in ipairs(texts) do
    if string.sub(text, -#EVENT_END) == EVENT_END then
      local used = {}
      for _, name in ipairs({'appends', unpack(COUNTED)}) do
        local more = (after[name] or 0) - (before[name] or 0)
        if more ~= 0 then
          used[#used + 1] = '"' .. string.gsub(name, '_(%l)', string.upper) .. '":' .. string.format('%.0f', more)
        end
      end
      texts[i] = string.sub(text, 1, -#EVENT_END - 1) .. ',"used":{' .. table.concat(used, ',') .. '}' .. EVENT_END
      return
    end
  end
end
