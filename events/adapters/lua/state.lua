-- Shared by the job scripts: a tree's state as it is, and what the script changes of it, which is written once at its end.
-- It is one hash: `job:<id>`, `usage:<id>`, `standing:<id>` for each job, and `leg:<key>` for each open leg.
local call = redis.call

-- The state as it is, the fields in a fixed order, what of it was decoded, and what this script changes.
local state, order, listed, decoded, changed, removed = {}, {}, {}, {}, {}, {}
local function load(key)
  local flat = call('HGETALL', key)
  for i = 1, #flat, 2 do
    state[flat[i]], listed[flat[i]] = flat[i + 1], true
    order[#order + 1] = flat[i]
  end
  table.sort(order)
end

local function put(field, value)
  if not listed[field] then
    order[#order + 1], listed[field] = field, true
  end
  state[field], changed[field], removed[field], decoded[field] = value, value, nil, nil
end

local function remove(field)
  state[field], changed[field], removed[field], decoded[field] = nil, nil, true, nil
end

-- cjson writes '/' as '\/'; the text search below, and people, want it plain.
local function encode(value)
  local text = cjson.encode(value)
  return string.find(text, '\\/', 1, true) and string.gsub(text, '\\/', '/') or text
end

-- What a field says, decoded once: most of a script's time is spent on decoding and encoding. Who changes it puts it.
local function record_of(field, otherwise)
  local record = decoded[field] or cjson.decode(state[field] or otherwise)
  decoded[field] = record
  return record
end

local function put_record(field, record)
  put(field, encode(record))
  decoded[field] = record
end

-- Text search instead of decoding: a fan-out has many legs and most of them are somebody else's. Plain, as far as it
-- can be: a pattern is tried at each character.
local function has(json, name, value)
  return string.find(json, '"' .. name .. '":"' .. value .. '"', 1, true) ~= nil
end

-- The text, or with `quote` '' the number, that a field has; nil where it has none.
local function value_of(json, name, quote)
  local _, at = string.find(json, '"' .. name .. '":' .. (quote or '"'), 1, true)
  return at and string.match(json, quote and '^%d+' or '^[^"]+', at + 1)
end

-- In which run the job is: 1, and one more with each retry. The field stands before all that could look like it.
local function run_of(job_id)
  return tonumber(value_of(state['job:' .. job_id], 'run', '') or '1')
end

-- How many steps stand beside this one: of its group, and held under the same name. nil: something else is here, or the
-- job does not stand with its slot and without another wish.
local function beside(job_id, leg_field)
  local standing, leg, count = state['standing:' .. job_id], state[leg_field], 0
  if not standing or not has(standing, 'want', 'slot') or not string.find(standing, '"slot":true', 1, true) then
    return nil
  end
  local own = {['job:' .. job_id] = true, ['usage:' .. job_id] = true, ['standing:' .. job_id] = true, [leg_field] = true}
  local owner, group = value_of(leg, 'owner'), value_of(leg, 'group')
  for _, field in ipairs(order) do
    local text = state[field]
    if text and not own[field] then
      if not (group and has(text, 'group', group) and has(text, 'owner', owner)) then
        return nil
      end
      count = count + 1
    end
  end
  return count
end

-- In slices: Lua's unpack has room for a few thousand values.
local function sliced(command, key, values)
  for from = 1, #values, 4000 do
    call(command, key, unpack(values, from, math.min(from + 3999, #values)))
  end
end

-- What is said of a job is appended with what else is saved: in one call for each stream.
local said = {}
local function say(key, texts)
  said[key] = said[key] or {}
  for _, text in ipairs(texts) do
    table.insert(said[key], text)
  end
end

-- How many calls it takes to save.
local function saving()
  local calls = next(removed) and 2 or 1
  for _, texts in pairs(said) do
    calls = calls + math.ceil(#texts / 4000)
  end
  return calls
end

local function books_of(job_id)
  return record_of('usage:' .. job_id, '{"messages":0,"redis_requests":0,"redis_commands":0}')
end

-- Books that are written with what else is saved, or once somebody asks for the text.
local used = {}

-- What was said in a job and what its calls came to has a tag, as HTTP's ETag: who knows it by that is not told it again.
-- A tag follows from the one before it and what was written since, so the same one means the same history; without one
-- (''), the history gets one when it is told as a whole. It stands in the books with how many requests they have: what an
-- older version's script writes is counted there, and makes it void.
local function tag_of(job_id)
  local books = books_of(job_id)
  return books.history_at == books.redis_requests and books.history or ''
end

local function tag(job_id, text)
  local books = books_of(job_id)
  if text ~= '' or books.history then
    books.history, books.history_at = text ~= '' and text or nil, text ~= '' and books.redis_requests or nil
    used[job_id] = books
  end
end

-- '' where a server's scripts have no SHA1: then everybody is told all. Of results and entries those from there on.
local function digest(before, results, entries, results_from, entries_from)
  local more, said = table.concat(results, '\n', results_from or 1), table.concat(entries, '\n', entries_from or 1)
  local texts = before .. '\n' .. more .. '\n\n' .. said
  return server.sha1hex and string.sub(server.sha1hex(texts), 1, 20) or ''
end

-- What a job has used, with this more of it.
local function use(job_id, more, now)
  local usage = books_of(job_id)
  local tagged = usage.history_at == usage.redis_requests
  for name, much in pairs(more) do
    usage[name] = (usage[name] or 0) + much
  end
  usage.history_at = tagged and usage.redis_requests or nil
  usage.updated_ms = now or usage.updated_ms
  used[job_id] = usage
end

local function usage_text(job_id)
  if used[job_id] then
    put_record('usage:' .. job_id, used[job_id])
    used[job_id] = nil
  end
  return state['usage:' .. job_id]
end

local function save(key)
  for job_id in pairs(used) do
    usage_text(job_id)
  end
  for parts_key, texts in pairs(said) do
    sliced('RPUSH', parts_key, texts)
  end
  local gone, pairs_of = {}, {}
  for field in pairs(removed) do
    gone[#gone + 1] = field
  end
  for field, value in pairs(changed) do
    pairs_of[#pairs_of + 1], pairs_of[#pairs_of + 2] = field, value
  end
  sliced('HDEL', key, gone)
  sliced('HSET', key, pairs_of)
end
