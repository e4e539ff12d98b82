-- KEYS[1]: the owner's profile. ARGV: limit, the server's run, line if only one is wanted.
-- Answers the owner's mark if it is of this run, or nothing; then all entries in one text, newest first by at_ms and id, bytewise.
-- Each is a head of the bytes that its line, its id and its body have, 4 bytes each, and its at_ms, a double, all little-endian; line,
-- id and body follow. A text of its own for each of the four would cost the server and whoever reads it much more.
local call, byte, sub, min, tonumber, unpack = redis.call, string.byte, string.sub, math.min, tonumber, unpack
local base, limit = KEYS[1], tonumber(ARGV[1])
-- Arguments of one command.
local CHUNK = 1000
local lines = {}
if limit > 0 and ARGV[3] then
  lines[1] = ARGV[3]
elseif limit > 0 then
  for _, field in ipairs(call('HKEYS', base)) do
    if byte(field, 1) == 108 then lines[#lines + 1] = sub(field, 2) end
  end
end

local function greater(a, b)
  for i = 1, min(#a, #b) do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- What is read of each line at once: a score costs the server more than the search for it, and few lines have all of the newest.
local page = limit
if #lines > 1 then page = min(limit, math.ceil(limit / #lines) + 4) end

-- Of each line: its newest ids, each with its score behind it; how many of them are taken; the score of the next one.
local held, taken, score = {}, {}, {}
local function read(k, from)
  return call('ZREVRANGE', base .. ':t:' .. lines[k], from, from + page - 1, 'WITHSCORES')
end
for k = 1, #lines do
  held[k], taken[k] = read(k, 0), 0
  score[k] = tonumber(held[k][2])
end

-- Whether the next one of line `a` comes before that of `b`, which is as new.
local function goes_first(a, b)
  local x, y = held[a][2 * taken[a] + 1], held[b][2 * taken[b] + 1]
  if x ~= y then return greater(x, y) end
  return greater(lines[a], lines[b])
end

-- Of which line each entry is, and its score.
local order, scores = {}, {}
for n = 1, limit do
  local best, newest
  for k = 1, #lines do
    local at = score[k]
    if at and (not best or at > newest or at == newest and goes_first(k, best)) then best, newest = k, at end
  end
  if not best then break end
  order[n], scores[n] = best, newest
  local ids, next = held[best], taken[best] + 1
  taken[best] = next
  if next % page == 0 and n < limit then
    for i, more in ipairs(read(best, next)) do ids[2 * next + i] = more end
  end
  score[best] = tonumber(ids[2 * next + 2])
end

local bodies = {}
for k, line in ipairs(lines) do
  local ids, found = {}, {}
  for i = 1, taken[k] do ids[i] = held[k][2 * i - 1] end
  for from = 1, #ids, CHUNK do
    local some = call('HMGET', base .. ':b:' .. line, unpack(ids, from, min(from + CHUNK - 1, #ids)))
    for i = 1, #some do found[from + i - 1] = some[i] end
  end
  bodies[k], taken[k] = found, 0
end

local answer, n = {}, 0
for at, k in ipairs(order) do
  local nth = taken[k] + 1
  taken[k] = nth
  local line, id, body = lines[k], held[k][2 * nth - 1], bodies[k][nth]
  -- One whose body was evicted is left out.
  if body then
    answer[n + 1] = struct.pack('<I4I4I4d', #line, #id, #body, scores[at])
    answer[n + 2], answer[n + 3], answer[n + 4] = line, id, body
    n = n + 4
  end
end
local mark = call('HGET', base, 'w')
return { mark and sub(mark, 2) == ARGV[2] and mark or '', table.concat(answer) }
