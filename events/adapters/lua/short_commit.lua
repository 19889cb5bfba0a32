-- COMMIT: of steps of one job, each its job's only one, or one beside which others of its group are held under the same
-- name, and followed by one at most: what commit.lua would write and claim for each, one after the other, worked out by
-- who asks (short_commits.py), where it holds.
-- KEYS: state, calls, results, transcript, parts.
-- ARGV: job id, commands and bytes of what runs beside this, then for each step: leg key, owner of its claim, run, now,
-- SHA1 of the job's text ('': it is written), tag of the history that the next step is told ('': it is told none) and its
-- tag once this is written, what was spent (JSON), what may be beside it ('': nothing, 'join': what follows waits for
-- that, 'leg': it does not), the next leg's field and text, the job's text ('': it stays); how many calls' and results'
-- fields and values, transcript entries and parts: then these.
-- Answer: for each until one that may not be done, 1: it was followed, 0: it was not.
local job_id, position = ARGV[1], 4
local calls, results, entries, parts, done, answer = {}, {}, {}, {}, {}, {}
local function take(count, into)
  for i = position, position + count - 1 do
    into[#into + 1] = ARGV[i]
  end
  position = position + count
end

-- What may be done of the step: 1: what follows it, too, 0: itself; nil: nothing.
local function allowed(leg_field, owner, run, text, history, may)
  local leg = state[leg_field]
  -- What a claim has appended in mid-work is commit.lua's to close and to count, and what was handed on its to say.
  local held = leg and has(leg, 'owner', owner) and string.find(leg, '"appended":0', 1, true)
    and not string.find(leg, '"handed_on":true', 1, true)
  local others = held and beside(job_id, leg_field)
  if not others or others > 0 and may == '' or run_of(job_id) ~= tonumber(run) then
    return nil
  elseif others > 0 and may == 'join' then
    return 0
  end
  -- Who is not told the job or what was said need not know them.
  local known = text == '' or server.sha1hex(state['job:' .. job_id]) == text
  return known and (history == '' or tag_of(job_id) == history) and 1 or nil
end

local function commit()
  local leg_key, owner, run, now, text, before, after, spent = unpack(ARGV, position, position + 7)
  local may, next_field, next_leg, job = unpack(ARGV, position + 8, position + 11)
  local counts, leg_field, history = {unpack(ARGV, position + 12, position + 15)}, 'leg:' .. leg_key, tag_of(job_id)
  position = position + 16
  local follows = allowed(leg_field, owner, run, text, before, may)
  if not follows then
    return false
  end
  done[#done + 1] = {books = counted_in(books_of(job_id)), from = #parts + 1}
  remove(leg_field)
  if follows == 1 then
    put(next_field, next_leg)
  end
  if job ~= '' then
    put('job:' .. job_id, job)
  end
  local results_from, entries_from = #results + 1, #entries + 1
  take(counts[1], calls)
  take(counts[2], results)
  take(counts[3], entries)
  take(counts[4], parts)
  if history ~= '' and counts[2] + counts[3] > 0 then
    tag(job_id, history == before and after or digest(history, results, entries, results_from, entries_from))
  end
  use(job_id, cjson.decode(spent), tonumber(now))
  answer[#answer + 1] = follows
  return true
end

load(KEYS[1])
while position <= #ARGV and commit() do end
if #answer == 0 then
  return answer
end
sliced('HSET', KEYS[2], calls)
sliced('HSET', KEYS[3], results)
sliced('RPUSH', KEYS[4], entries)
say(KEYS[5], parts)
-- The last one pays for all of them.
use(job_id, {
  redis_requests = 1,
  redis_commands = commands + saving() + tonumber(ARGV[2]),
  redis_bytes = bytes_with(answer) + tonumber(ARGV[3]),
})
for i, each in ipairs(done) do
  local following = done[i + 1] or {books = books_of(job_id), from = #parts + 1}
  say_used(said[KEYS[5]], each.books, following.books, each.from, following.from - 1)
end
save(KEYS[1])
return answer
