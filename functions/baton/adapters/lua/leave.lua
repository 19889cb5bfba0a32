-- Take jobs off the admission, unless they have said something since. KEYS, ARGV: as slots.lua; from 6 on job id, since
-- (ms), job id, since, …
for i = 6, #ARGV, 2 do
  local e = entry_of(ARGV[i])
  if e and e.since_ms == tonumber(ARGV[i + 1]) then
    entries[ARGV[i]] = nil
    put(ARGV[i])
  end
end
save()
return 1
