-- After slots.lua, where an admission may be one that a version before has kept.
local OLD_BOOK, OLD_GONE, OLD_STOPPED = unpack(KEYS, 12, 14)
local ADOPTING_MS = 86400000

-- Versions before kept one slot table, and read it whole. Its entries are taken over: all of them in pieces, a job's own at
-- its word. That admission is stopped, so that instances which still run give no slot beside this one.
local function adopt_entry(key, name, json, cause)
  local theirs, e = cjson.decode(json), entry_of(name)
  if e then
    hear(e, theirs.lap, theirs.want, theirs.since_ms)
    e.slot, e.started = e.slot or theirs.slot and e.want == 'slot', e.started or theirs.started
    if e.slot and name ~= cause then
      e.cause = cause -- it was told there that it holds none
    end
  else
    entries[name] = theirs
  end
  put(name)
  redis.call('HDEL', key, name)
end

local function adopt(job_id, sweeping)
  if flags.adopting == 0 then
    set('stopped', tonumber(redis.call('GET', OLD_STOPPED) or '0'))
    set('adopting', clock + ADOPTING_MS)
    sweeping = true
  elseif clock > flags.adopting and not sweeping then
    return
  end
  if sweeping then
    redis.call('SET', OLD_STOPPED, string.format('%.0f', now), 'PX', ADOPTING_MS)
  end
  for _, key in ipairs(redis.call('EXISTS', OLD_BOOK, OLD_GONE) > 0 and {OLD_BOOK, OLD_GONE} or {}) do
    local json = job_id and redis.call('HGET', key, job_id)
    if json then
      adopt_entry(key, job_id, json, job_id)
    end
    local found = redis.call('HSCAN', key, 0, 'COUNT', 50)[2]
    for i = 1, #found, 2 do
      if found[i] ~= job_id then
        adopt_entry(key, found[i], found[i + 1], job_id or 'sweep')
      end
    end
  end
end
