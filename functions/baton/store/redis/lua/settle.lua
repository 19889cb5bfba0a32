-- After budget.lua: calls are over, or limits change; who waits is woken as far as there is place for it then.
-- ARGV[1], besides, of each want: period; `over`: the call is: its limit, its cost (below 0: what it has reserved,
-- or `amount`); else fields, dropped (fields), raised (never to less, by a `name` once).
-- Answer: the messages of those to wake, and which shares of their limits budgets have reached.
local woken = {}
-- Its cost takes the place of what it has reserved, or of what was counted when its lease was over. A call that is not
-- found counts, too: a failover may have forgotten it.
local function settle(b, e, cost)
  if e and e.state == 's' then
    return
  elseif e and e.open then
    close(b, e)
  end
  cost = cost < 0 and (e and e.amount or b.ask.amount) or cost
  spend(b, b.label, cost - (e and e.state == 'l' and e.amount or 0))
  set(b, 'largest:' .. b.label, math.max(get(b, 'largest:' .. b.label), cost))
  put(b, b.own, b.label, e and e.till or now() + 86400000, cost, 's')
end

local function change(b, want)
  for field, text in pairs(want.fields) do
    set(b, field, text)
  end
  for _, field in ipairs(want.dropped) do
    b.dropped[#b.dropped + 1], b.values[field] = field, false
  end
  if want.raised then -- its name is known for a day after it came last
    local _ = plan.name and b.values[b.own] or set(b, 'raised:' .. b.label, math.max(want.raised, get(b, 'raised:' .. b.label)))
    local _ = plan.name and put(b, b.own, b.label, now() + 86400000, want.raised, 's')
  end
  if not b.values.last then
    set(b, 'last', now())
    set(b, 'zones', want.zone)
    call('ZADD', KEYS[1], string.format('%.0f', now()), want.member)
  end
end

-- Those who have waited longest. They stay until they ask, since who should wake them may die: they are woken again, behind
-- the others. Calls that are over wake them at most three times, as some are no longer there; people as often as they raise.
-- A score is 1e14 for each time, and the time. What a person is asked about has 4 times, and only people wake it.
local function wake(b, spare, pause)
  local asked, left = get(b, 'asked:' .. b.label), limit_of(b) - get(b, 'spent:' .. b.label) - get(b, 'held:' .. b.label)
  local fits = asked > 0 and math.floor(left / asked) or left > 0 and 1 or 0
  if fits < 1 or get(b, 'alone:' .. b.label) > 0 then
    return
  end
  local flat, again = call('ZRANGE', b.waits, 0, string.format('%.0f', fits + spare - 1), 'WITHSCORES'), {}
  for i = 1, #flat, 2 do
    local event, times, at = flat[i], math.floor(flat[i + 1] / 1e14), flat[i + 1] % 1e14
    if times == 3 and pause > 0 then
      call('ZREM', b.waits, event)
    elseif times == 0 or now() - at >= pause and (times < 4 or pause == 0) then
      woken[#woken + 1] = event
      again[#again + 1], again[#again + 2] = string.format('%.0f', (times == 4 and 4 or math.min(times + 1, 3)) * 1e14 + now()), event
    end
  end
  in_slices('ZADD', b.waits, again)
end

for at, want in ipairs(plan.wants) do
  local b = read(at, want, want.period)
  local e = entry(b.values[b.own])
  if want.over and e and e.label ~= b.label then
    b = read(at, want, match(e.label, '^[^@]*'))
  end
  if want.over then
    b.begins = not e
    settle(b, e, want.cost)
    write(b)
  else
    change(b, want)
    write(b)
    if b.values.limit or want.kept_ms == 0 then
      call('PERSIST', b.hash)
    else
      call('PEXPIRE', b.hash, want.kept_ms)
    end
  end
  wake(b, want.over and 0 or 20, want.over and 10000 or 0) -- some who wait may be no longer there
end
return {woken, reached}
