-- Nobody is admitted any more; since when stays what it was. KEYS, ARGV: as slots.lua.
adopt(nil, true)
if flags.stopped == 0 then
  set('stopped', now)
end
save()
return 1
