-- After budget.lua: a call begins where all its budgets have what it asks for, and else in none. One script checks and adds.
-- ARGV[1], besides: note (its event, where it waits), lease; of each want limit, amount (below 0: not known), fixed, waits, periods, asks (the note once it is used up).
-- Answer: granted, busy or used_up; the periods; of the budget that refuses its index, period and sums, since when it waits.

-- Calls whose leases are over count in full, since they may have been paid for. What is long over is forgotten.
local function lapse(b)
  local flat, first = call('HGETALL', b.hash), nil
  for i = 1, #flat, 2 do
    b.values[flat[i]] = flat[i + 1]
  end
  for i = 1, #flat, 2 do
    local field = flat[i]
    local e, old = match(field, '^call:') and entry(flat[i + 1]), match(field, '^%a+:(%d.*)$')
    if e and e.open and e.till <= now() then
      close(b, e)
      spend(b, e.label, e.amount)
      put(b, field, e.label, now() + 86400000, e.amount, 'l')
    elseif e and e.open then
      first = math.min(first or e.till, e.till)
    elseif e and e.till <= now() or old and old < b.oldest and get(b, 'flying:' .. old) == 0 then
      b.dropped[#b.dropped + 1] = field
    end
  end
  set(b, 'lease', first or 0)
  set(b, 'declared:' .. b.label, b.ask.limit)
  write(b)
end

-- The budget in its present period, and what the call asks of it.
local function opened(at, want)
  local chosen = #want.periods
  while chosen > 1 and want.periods[chosen].begins_ms > now() do
    chosen = chosen - 1
  end
  local period, prior = want.periods[chosen], want.periods[chosen - 1]
  want.prior = prior and prior.name .. '@' .. want.zone
  local b = read(at, want, period.name)
  b.resets, b.oldest, b.begins = period.ends_ms, (prior or period).name, not b.values['declared:' .. b.label]
  if get(b, 'lease') > 0 and get(b, 'lease') <= now() or b.begins and b.values.last then
    lapse(b)
  end
  -- Not more than the limit: else a dear call would close the next period.
  local known = math.min(math.max(get(b, 'largest:' .. b.label), get(b, 'largest:' .. (want.prior or ''))), limit_of(b))
  local amount = (want.fixed or known == 0) and want.amount or math.max(want.amount, known)
  b.amount, b.alone = math.max(amount, 0), amount < 0
  return b
end

local function judged(b)
  local e, spent, limit = entry(b.values[b.own]), get(b, 'spent:' .. b.label), limit_of(b)
  b.found = e and e.open and e
  if b.found then
    return 'granted'
  elseif spent >= limit or spent + b.amount > limit then
    return 'used_up'
  end
  local is_in_the_way = get(b, 'alone:' .. b.label) > 0 or b.alone and get(b, 'flying:' .. b.label) > 0
  return (is_in_the_way or spent + get(b, 'held:' .. b.label) + b.amount > limit) and 'busy' or 'granted'
end

-- Answers the period; a call that asks again has the one that it has.
local function grant(b)
  local e, till, zone, zones = b.found, now() + plan.lease, b.ask.zone, b.values.zones or ''
  set(b, 'lease', get(b, 'lease') > 0 and math.min(get(b, 'lease'), till) or till)
  if e then
    put(b, b.own, e.label, math.max(e.till, till), e.amount, e.state)
    return match(e.label, '^[^@]*')
  end
  put(b, b.own, b.label, till, b.amount, b.alone and 'a' or 'r')
  add(b, 'held:' .. b.label, b.amount)
  add(b, 'flying:' .. b.label, 1)
  set(b, 'alone:' .. b.label, b.alone and 1 or 0)
  set(b, 'asked:' .. b.label, b.amount)
  set(b, 'declared:' .. b.label, b.ask.limit)
  if not string.find(' ' .. zones .. ' ', ' ' .. zone .. ' ', 1, true) then
    set(b, 'zones', match(zones .. ' ' .. zone, '^%s*(.*)$'))
  end
  return b.name
end

local function refuse(outcome, b)
  local since, asks = now(), outcome == 'used_up' and b.ask.asks ~= '' and b.ask.asks
  local note = asks or plan.note
  if note ~= '' and (outcome == 'busy' or b.ask.waits) then
    since = tonumber(call('ZINCRBY', b.waits, 0, note))
    if since == 0 or since >= 1e14 then -- it is new, or was woken
      since = now()
      call('ZADD', b.waits, string.format('%.0f', since + (asks and 4e14 or 0)), note)
      call('PEXPIRE', b.waits, 34560000000)
    end
  end
  local spent, held = get(b, 'spent:' .. b.label), get(b, 'held:' .. b.label)
  return {outcome, {}, b.at - 1, b.name, limit_of(b), spent, held, b.amount, b.resets, now() - since, reached}
end

-- What is used up counts before what is busy.
local all, seen, names, refusing, outcome = {}, {}, {}, nil, 'granted'
for at, want in ipairs(plan.wants) do
  all[at] = opened(at, want)
  local one = judged(all[at])
  if one ~= 'granted' and outcome ~= 'used_up' and one ~= outcome then
    refusing, outcome = all[at], one
  end
end
if refusing then
  return refuse(outcome, refusing)
end
for at, b in ipairs(all) do
  names[at] = grant(b)
  if now() - get(b, 'last') > 60000 then
    seen[#seen + 1], seen[#seen + 2] = string.format('%.0f', now()), b.ask.member
    set(b, 'last', now())
  end
  write(b)
  if b.known and plan.note ~= '' then
    call('ZREM', b.waits, plan.note)
  end
end
in_slices('ZADD', KEYS[1], seen)
return {outcome, names, 0, '', 0, 0, 0, 0, 0, 0, reached}
