-- Append parts in mid-work, only while the owner holds the leg. KEYS: state, parts.
-- ARGV: leg key, owner, sequence, id of the text that is open after it ('' where parts are no text), parts.
-- Answer: 2 appended (the leg counts it: prelude.lua, let_go), 1 while the leg is held, else 0; also 0 for a text of which
-- a failover forgot what came before.
local leg_field, sequence, text_id = 'leg:' .. ARGV[1], tonumber(ARGV[3]), ARGV[4]
local json = call('HGET', KEYS[1], leg_field)
local leg = json and cjson.decode(json)
if not leg or leg.owner ~= ARGV[2] then
  return 0
end
if text_id ~= '' and leg.appended < sequence - 1 then
  return 0
end
if #ARGV > 4 and leg.appended < sequence then
  leg.appended = sequence
  if text_id ~= '' then
    leg.text_id = text_id
  end
  call('HSET', KEYS[1], leg_field, encode(leg))
  call('RPUSH', KEYS[2], unpack(ARGV, 5))
  return 2
end
return 1
