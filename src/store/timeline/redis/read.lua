-- KEYS[1]: the owner's profile. ARGV: limit, the server's run, line if only one is wanted.
-- Answers the owner's mark if it is of this run, or nothing; then line, id, at_ms, body of each entry, newest first by at_ms
-- and id, bytewise.
local call, byte, sub, min, tonumber = redis.call, string.byte, string.sub, math.min, tonumber
local base, limit = KEYS[1], tonumber(ARGV[1])
local lines = {}
if ARGV[3] then
  lines[1] = ARGV[3]
else
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

local found = {}
for _, line in ipairs(lines) do
  local ids = call('ZREVRANGE', base .. ':t:' .. line, 0, limit - 1, 'WITHSCORES')
  for i = 1, #ids, 2 do
    found[#found + 1] = { line, ids[i], tonumber(ids[i + 1]) }
  end
end
if #lines > 1 then
  table.sort(found, function(a, b)
    if a[3] ~= b[3] then return a[3] > b[3] end
    if a[2] ~= b[2] then return greater(a[2], b[2]) end
    return greater(a[1], b[1])
  end)
end
local mark = call('HGET', base, 'w')
local answer, n = { mark and sub(mark, 2) == ARGV[2] and mark or '' }, 1
for i = 1, min(limit, #found) do
  local entry = found[i]
  local body = call('HGET', base .. ':b:' .. entry[1], entry[2])
  if body then
    answer[n + 1], answer[n + 2], answer[n + 3], answer[n + 4] = entry[1], entry[2], string.format('%.0f', entry[3]), body
    n = n + 4
  end
end
return answer
