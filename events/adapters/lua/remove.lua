-- Remove an ended tree, and leave a tombstone. KEYS: state, tombstone, then calls, results, transcript, parts of the root
-- and of each job of the family.
-- ARGV: root job id, expected job, family (JSON), wishes that the admission has heard (JSON), tombstone, its time (ms).
-- Answer: removed, changed, unknown, or family, with the jobs below, whose keys must be declared.
local job_field, told, declared, family = 'job:' .. ARGV[1], {}, {}, {}
load(KEYS[1])
if not state[job_field] then
  return {'unknown', {}}
end
for _, key in ipairs(cjson.decode(ARGV[4])) do
  told['leg:' .. key] = true
end
for _, name in ipairs(cjson.decode(ARGV[3])) do
  declared[name] = true
end
for _, field in ipairs(order) do
  -- A wish that nobody tells any more would leave its slot to nobody.
  if is_leg(field) and has(state[field], 'kind', 'wish') and not told[field] then
    return {'changed', {}}
  end
  if string.sub(field, 1, #job_field + 1) == job_field .. '.' then
    family[#family + 1] = string.sub(field, 5)
    declared.all = declared.all ~= false and declared[string.sub(field, 5)] or false
  end
end
if state[job_field] ~= ARGV[2] or not ended(ARGV[1]) then
  return {'changed', {}}
end
if declared.all == false then
  return {'family', family}
end
for i, key in ipairs(KEYS) do
  if i ~= 2 then
    call('DEL', key)
  end
end
call('SET', KEYS[2], ARGV[5], 'PX', tonumber(ARGV[6]))
return {'removed', {}}
