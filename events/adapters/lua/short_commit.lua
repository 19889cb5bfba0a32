-- COMMIT: of a job's only step, or of one beside which others of its group are held under the same name, that is followed
-- by one at most: what commit.lua would write and claim, worked out by who asks (short_commits.py), where it holds.
-- KEYS: state, calls, results, transcript, parts.
-- ARGV: job id, leg key, owner of its claim, run, now, SHA1 of the job's text ('': it is written), tag of the history that
-- the next step is told ('': it is told none) and its tag once this is written, what was spent (JSON), what may be beside
-- it ('': nothing, 'join': what follows waits for that, 'leg': it does not), the next leg's field and text, the job's text
-- ('': it stays); how many calls' and results' fields and values and how many transcript entries: then these, then the
-- parts.
-- Answer: `committed`, and 1: it was followed, else 0. Or `else`: nothing was done.
local job_id, leg_field, now = ARGV[1], 'leg:' .. ARGV[2], tonumber(ARGV[5])
load(KEYS[1])
local leg, job = state[leg_field], state['job:' .. job_id]
-- What a claim has appended in mid-work is commit.lua's to close and to count, and what was handed on meanwhile its to say.
local held = leg and has(leg, 'owner', ARGV[3]) and string.find(leg, '"appended":0', 1, true)
  and not string.find(leg, '"handed_on":true', 1, true)
local others = held and beside(job_id, leg_field)
if not others or others > 0 and ARGV[10] == '' or run_of(job_id) ~= tonumber(ARGV[4]) then
  return {'else'}
end
-- Who is not told the job or what was said need not know them.
local history, follows = tag_of(job_id), others == 0 or ARGV[10] ~= 'join'
if follows and (ARGV[6] ~= '' and server.sha1hex(job) ~= ARGV[6] or ARGV[7] ~= '' and history ~= ARGV[7]) then
  return {'else'}
end
local books, position = counted_in(books_of(job_id)), 17
local function take(count)
  local values = {}
  for i = position, position + count - 1 do
    values[#values + 1] = ARGV[i]
  end
  position = position + count
  return values
end
local calls, results, entries = take(tonumber(ARGV[14])), take(tonumber(ARGV[15])), take(tonumber(ARGV[16]))
remove(leg_field)
if follows then
  put(ARGV[11], ARGV[12])
end
if ARGV[13] ~= '' then
  put('job:' .. job_id, ARGV[13])
end
sliced('HSET', KEYS[2], calls)
sliced('HSET', KEYS[3], results)
sliced('RPUSH', KEYS[4], entries)
if history ~= '' and #results + #entries > 0 then
  tag(job_id, history == ARGV[7] and ARGV[8] or digest(history, results, entries))
end
say(KEYS[5], take(#ARGV - position + 1))
local spent = cjson.decode(ARGV[9])
spent.redis_requests = (spent.redis_requests or 0) + 1
use(job_id, spent, now)
local answer = {'committed', follows and 1 or 0}
use(job_id, {redis_commands = commands + saving(), redis_bytes = bytes_with(answer)})
say_used(said[KEYS[5]] or {}, books, books_of(job_id))
save(KEYS[1])
return answer
