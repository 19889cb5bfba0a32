-- COMMIT: of a job's only step that is followed by only one: what commit.lua would write and claim, worked out by who asks
-- (lone_steps.py), and written only where it holds.
-- KEYS: state, calls, results, transcript, parts.
-- ARGV: job id, leg key, owner of its claim, run, now, SHA1 of the job's text ('': it is written), tag of the history that
-- the next step is told ('': it is told none) and its tag once this is written, what was spent (JSON), the next leg's field
-- and text, the job's text ('': it stays); how many calls' and results' fields and values and how many transcript entries:
-- then these, then the parts.
-- Answer: `committed`; or `else`: nothing was done.
local job_id, leg_field, now = ARGV[1], 'leg:' .. ARGV[2], tonumber(ARGV[5])
load(KEYS[1])
local leg, job = state[leg_field], state['job:' .. job_id]
-- What a claim has appended in mid-work is commit.lua's to close and to count.
local held = leg and has(leg, 'owner', ARGV[3]) and string.find(leg, '"appended":0', 1, true)
if not held or not is_lone(job_id) or run_of(job_id) ~= tonumber(ARGV[4]) then
  return {'else'}
end
if ARGV[6] ~= '' and server.sha1hex(job) ~= ARGV[6] then
  return {'else'}
end
local history = tag_of(job_id)
if ARGV[7] ~= '' and history ~= ARGV[7] then
  return {'else'}
end
local books, position = counted_in(books_of(job_id)), 16
local function take(count)
  local values = {}
  for i = position, position + count - 1 do
    values[#values + 1] = ARGV[i]
  end
  position = position + count
  return values
end
local calls, results, entries = take(tonumber(ARGV[13])), take(tonumber(ARGV[14])), take(tonumber(ARGV[15]))
remove(leg_field)
put(ARGV[10], ARGV[11])
if ARGV[12] ~= '' then
  put('job:' .. job_id, ARGV[12])
end
sliced('HSET', KEYS[2], calls)
sliced('HSET', KEYS[3], results)
sliced('RPUSH', KEYS[4], entries)
if history ~= '' and #results + #entries > 0 then
  tag(job_id, ARGV[8] ~= '' and ARGV[8] or digest(history, results, entries))
end
say(KEYS[5], take(#ARGV - position + 1))
local spent = cjson.decode(ARGV[9])
spent.redis_requests = (spent.redis_requests or 0) + 1
use(job_id, spent, now)
local answer = {'committed'}
use(job_id, {redis_commands = commands + saving(), redis_bytes = bytes_with(answer)})
say_used(said[KEYS[5]] or {}, books, books_of(job_id))
save(KEYS[1])
return answer
