-- Prolong claims, or give one back: only of who still holds them. KEYS: state.
-- ARGV: the end of the lease, then '' to prolong, 'begun' or 'untouched' to give back; leg key and owner of each claim.
-- Answer: keys of the legs that these owners do not hold.
local until_ms, back, lost, changes = tonumber(ARGV[1]), ARGV[2] ~= '', {}, {}
for i = 3, #ARGV, 2 do
  local field = 'leg:' .. ARGV[i]
  local json = call('HGET', KEYS[1], field)
  local leg = json and cjson.decode(json)
  if not leg or leg.owner ~= ARGV[i + 1] then
    lost[#lost + 1] = ARGV[i]
  elseif back or leg.lease_until_ms < until_ms then
    leg.lease_until_ms = until_ms
    if back then
      leg.owner = ''
    end
    if ARGV[2] == 'begun' and leg.kind == 'loop' then
      leg.lost = (leg.lost or 0) + 1
    end
    changes[#changes + 1], changes[#changes + 2] = field, encode(leg)
  end
end
sliced('HSET', KEYS[1], changes)
return lost
