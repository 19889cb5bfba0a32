-- The admission's one entrance: take a job's word, fill the free slots, say whom to tell (admission.py: take).
-- Who is gone is kept apart, so that what a word costs does not grow with ended jobs; it comes back by a higher lap only.
-- KEYS: entries, sweep, gone, stopped, ends, used.
-- ARGV: job id, lap, want, tenant, session, priority, created, now, slots, sweep interval (ms), agent, 1 if a new job is to
-- be alone in its session, how the job ended (JSON, '' if it has not).
-- Answer: 1 if the asker holds a slot, whom to tell (id, lap, session; flat), when a sweep must be armed (0: not), the
-- lap of a later word of this job (0: there is none), 1 if it was to be alone, and is not: then nothing is written.
local job_id, lap, want, now, agent = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[8]), ARGV[11]
load_book(KEYS[1])
local entry, gone = entry_of(job_id), nil
if not entry then
  gone = redis.call('HGET', KEYS[3], job_id)
  if not gone and ARGV[12] == '1' and is_busy(ARGV[4], ARGV[5]) then
    return {0, {}, 0, 0, 1}
  end
  entry = gone and cjson.decode(gone) or {tenant = ARGV[4], session_id = ARGV[5], priority = tonumber(ARGV[6]), created_ms = tonumber(ARGV[7]),
           lap = -1, want = 'none', slot = false, started = false, cause = '', since_ms = 0, agent = agent}
  entries[job_id] = entry
end
local ends = ARGV[13] ~= '' and entry.lap >= 0 and lap > entry.lap and entry.want ~= 'gone'
if lap > entry.lap then
  entry.slot = entry.slot and want == 'slot'
  entry.started = entry.started and entry.want ~= 'gone' -- one that was retried is no wake-up
  entry.lap, entry.want = lap, want
end
local current = lap == entry.lap
if current then
  -- Also a repeated word is news: who says it lives, and its entry must not leave the book.
  entry.since_ms = math.max(entry.since_ms, now)
end
if current and entry.slot then
  entry.cause = '' -- taken
end
dirty[job_id] = entry.want ~= 'gone' or nil
local armed_and_stopped = redis.call('MGET', KEYS[2], KEYS[4])
fill(armed_and_stopped[2] and 0 or tonumber(ARGV[9]), job_id)
local tell = current and untold(job_id) or {}
save_book(KEYS[1])
if entry.want == 'gone' then
  redis.call('HSET', KEYS[3], job_id, cjson.encode(entry))
  if not gone then
    redis.call('HDEL', KEYS[1], job_id)
  end
elseif gone then
  redis.call('HDEL', KEYS[3], job_id)
end
-- An end is counted once: when a job in the book is first said to be gone (ends.py says the same). A copy of that word
-- that comes when the job has left the book counts nothing.
if ends then
  local ended, json = cjson.decode(ARGV[13]), redis.call('HGET', KEYS[5], agent)
  local sums = json and cjson.decode(json) or {durations = {}}
  for _, name in ipairs({'duration_ms', 'input_tokens', 'output_tokens', 'micro_usd'}) do
    sums[name] = (sums[name] or 0) + ended[name]
  end
  sums[ended.status] = (sums[ended.status] or 0) + 1
  for i = 1, ended.buckets do
    sums.durations[i] = (sums.durations[i] or 0) + (i == ended.bucket + 1 and 1 or 0)
  end
  redis.call('HSET', KEYS[5], agent, cjson.encode(sums))
  local field = ended.month .. ' ' .. ARGV[4]
  local used = cjson.decode(redis.call('HGET', KEYS[6], field) or '{}')
  for name, much in pairs(ended.used) do
    used[name] = (used[name] or 0) + much
  end
  redis.call('HSET', KEYS[6], field, cjson.encode(used))
end
-- A sweep is armed only while somebody holds a slot, one at a time; an overdue one was lost.
local sweep_at = 0
if total > 0 then
  local armed, interval = tonumber(armed_and_stopped[1] or '0'), tonumber(ARGV[10])
  if armed + interval < now then
    sweep_at = now + interval
    redis.call('SET', KEYS[2], string.format('%.0f', sweep_at))
  end
end
return {current and entry.slot and 1 or 0, tell, sweep_at, current and 0 or entry.lap, 0}
