-- The admission's one entrance: take a job's word, fill the free slots, say whom to tell (admission.py: take).
-- KEYS: as slots.lua; 15 ends, 16 used, 17 the tenant's stored bytes, where ARGV says what changes of them.
-- ARGV: as slots.lua; 6 job id, 7 request epoch, 8 want, 9 tenant, 10 session, 11 priority, 12 created, 13 agent, 14 '1' if a new job
-- is to be alone in its session, 15 how the job ended (JSON, '' if it has not), 16 until when (ms) → bytes stored more
-- (JSON), 17 for how long (ms) all of them are kept; neither where nothing changes.
-- Answer: 1 if the asker holds a slot, whom to tell (id, request epoch, session; flat), when a sweep must be armed (0: not), the
-- request epoch of a later word of this job (0: there is none), 1 if it was to be alone, and is not: then nothing is written.
local job_id, lap, want, agent = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[13]
local session, child = session_of(ARGV[9], ARGV[10]), is_child(ARGV[6])
adopt(job_id)
local entry = entry_of(job_id)
local first = not entry
if not entry then
  if ARGV[14] == '1' and head_of(session) then
    save()
    return {0, {}, 0, 0, 1}
  end
  entry = {tenant = ARGV[9], session_id = ARGV[10], priority = tonumber(ARGV[11]), created_ms = tonumber(ARGV[12]),
           lap = -1, want = 'none', slot = false, started = false, cause = '', since_ms = 0, agent = agent}
  entries[job_id] = entry
end
local ends = ARGV[15] ~= '' and entry.lap >= 0 and lap > entry.lap and entry.want ~= 'gone'
local current = hear(entry, lap, want, now)
if current and entry.slot then
  entry.cause = '' -- taken
end
-- Where nobody stands in line, a free slot is given without standing there.
if entry.want == 'slot' and not entry.slot and flags.stopped == 0 and flags.holders < slots and flags.lines == 0 then
  local head = not child and head_of(session)
  if not head or kept[job_id] and head == kept[job_id].seat then
    entry.slot, entry.started, entry.cause = true, true, ''
  end
end
put(job_id)
fill(job_id)
local tell = current and untold(job_id) or {}
local sweep_at = arm()
save()
-- An end is counted once: when a job in the slot table is first said to be gone (ends.py says the same). A copy of that word
-- that comes when the job has left counts nothing.
if ends then
  local ended, json = cjson.decode(ARGV[15]), redis.call('HGET', KEYS[15], agent)
  local sums = json and cjson.decode(json) or {durations = {}}
  for _, name in ipairs({'duration_ms', 'input_tokens', 'output_tokens', 'micro_usd'}) do
    sums[name] = (sums[name] or 0) + ended[name]
  end
  sums[ended.status] = (sums[ended.status] or 0) + 1
  for i = 1, ended.buckets do
    sums.durations[i] = (sums.durations[i] or 0) + (i == ended.bucket + 1 and 1 or 0)
  end
  redis.call('HSET', KEYS[15], agent, cjson.encode(sums))
  local field = ended.month .. ' ' .. ARGV[9]
  local used = cjson.decode(redis.call('HGET', KEYS[16], field) or '{}')
  for name, much in pairs(ended.used) do
    used[name] = (used[name] or 0) + much
  end
  redis.call('HSET', KEYS[16], field, cjson.encode(used))
end
-- So are the bytes that a job has stored: with its end, and before that those that it was submitted with.
if ARGV[16] and (ends or first and ARGV[15] == '') then
  for until_ms, more in pairs(cjson.decode(ARGV[16])) do
    redis.call('HINCRBY', KEYS[17], until_ms, string.format('%.0f', more))
  end
  redis.call('PEXPIRE', KEYS[17], ARGV[17])
end
return {current and entry.slot and 1 or 0, tell, sweep_at, current and 0 or entry.lap, 0}
