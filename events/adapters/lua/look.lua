-- The sweep looks at one tree. KEYS: state.
-- ARGV: root job id, message, now, lost after (ms), the admission's entries of the tree's jobs (JSON, by job id),
-- the only job to look at ('' for all).
-- By progress, not age: never a live lease, never a future timer. What is lost is carried by the sweep's message now.
-- What a job wishes is compared with what the admission knows, and wished again where they differ.
-- Answer: root job ('' unknown), lost legs, ids of ended jobs that have no leg any more, ids of entries without a job.
local message, now, lost_after, entries = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), cjson.decode(ARGV[5])
load(KEYS[1])
if not state['job:' .. ARGV[1]] then
  return {'', {}, {}, {}}
end
local jobs, lost, over, forgotten = {}, {}, {}, {}
for _, field in ipairs(order) do
  if string.sub(field, 1, 4) == 'job:' and (ARGV[6] == '' or field == 'job:' .. ARGV[6]) then
    jobs[#jobs + 1] = string.sub(field, 5)
  end
end
local function agrees(job_id, standing, entry)
  if state['leg:wish:' .. job_id .. ':' .. string.format('%.0f', standing.lap)] then
    return not entry or entry.lap <= standing.lap
  end
  if not entry then
    return standing.want == 'gone'
  end
  return entry.lap == standing.lap and entry.want == standing.want and (entry.slot or not standing.slot)
end
for _, job_id in ipairs(jobs) do
  settle(job_id, message, now, 0)
  local standing, entry = standing_of(job_id), entries[job_id]
  -- What was wished lately may be missing only because the book was read before, or told lately: the last that an ended
  -- job writes is that its wish was heard. Half the time, so that a submission's witness finds a forgotten place before
  -- nothing else would look for it.
  local said = ended(job_id) and math.max(standing.lap, books_of(job_id).updated_ms) or standing.lap
  if not agrees(job_id, standing, entry) and now - said > lost_after / 2 then
    new_wish(job_id, standing.want, message, now, 0)
    standing = standing_of(job_id)
  end
  local in_line = entry and entry.lap == standing.lap and entry.want == 'slot' and standing.want == 'slot' and not entry.slot
  for _, leg in ipairs(legs_of(job_id)) do
    -- Beside the lease, not after it: its own message comes again when it is over, so a few seconds more are enough.
    local over = now - leg.lease_until_ms > lost_after / 6
    local quiet = over and now - math.max(leg.since_ms, leg.not_before_ms) or 0
    local waits = leg.kind == 'wish' and in_line or gated(leg, now) or held(leg, state['leg:' .. leg.key])
    -- A wish of which the book knows nothing was forgotten: a submission's witness must not come too soon for it.
    local patience = leg.kind == 'wish' and not entry and lost_after / 2 or lost_after
    if not waits and (leg.carrier == message or quiet > patience) then
      leg.handed_on = leg.owner ~= '' or leg.carrier == message and leg.since_ms < now or nil
      leg.since_ms, leg.carrier = now, message
      put_record('leg:' .. leg.key, leg)
      lost[#lost + 1] = state['leg:' .. leg.key]
    end
  end
  -- Its entry stays while its wish is open: else no sweep would look at it any more.
  if ended(job_id) and #legs_of(job_id) == 0 then
    over[#over + 1] = job_id
  end
end
-- A failover may have forgotten that a job below was started, and nobody may start it again.
for job_id in pairs(entries) do
  if not state['job:' .. job_id] then
    forgotten[#forgotten + 1] = job_id
  end
end
save(KEYS[1])
table.sort(forgotten)
return {state['job:' .. ARGV[1]], lost, over, forgotten}
