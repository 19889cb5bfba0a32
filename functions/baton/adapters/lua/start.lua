-- Jobs are admitted again: free slots are filled, and a sweep is armed while somebody holds one. KEYS, ARGV: slots.lua.
-- Answer: when a sweep must be armed (0: not), whom to tell (id, request epoch, session; flat): a start that is repeated tells again.
adopt(nil, true)
set('stopped', 0)
fill('sweep')
local tell, sweep_at = untold(''), arm()
save()
return {sweep_at, tell}
