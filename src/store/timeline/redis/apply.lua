-- KEYS[1]: the owner's profile. ARGV: six values per entry: line, action, id, at_ms, digest, body.
-- Ages and sizes stand in front of this text as KEEP, MAX_AGE, COUNT_DAYS, TTL, REFRESH.
--
-- Fields of the profile; <n> is the length of the next text as one byte:
--   d newest day    x second of the last refresh    l<line> "first last"
--   m<n><line><action> "at_ms id" of the latest    b<n><line><action> its body
--   c<n><line><n><action><day> count
local call, byte, char, sub, find = redis.call, string.byte, string.char, string.sub, string.find
local floor, format, min, tonumber, unpack = math.floor, string.format, math.min, tonumber, unpack
local base = KEYS[1]
local clock = tonumber(call('TIME')[1])
local expires

-- Byte order; `<` would follow the server's locale.
local function less(a, b)
  for i = 1, min(#a, #b) do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function halves(text)
  local space = find(text, ' ', 1, true)
  return tonumber(sub(text, 1, space - 1)), sub(text, space + 1)
end

local function chunks(list, step, use)
  for from = 1, #list, step do
    use(unpack(list, from, min(from + step - 1, #list)))
  end
end

local function counted_day(field)
  local action = 3 + byte(field, 2)
  return tonumber(sub(field, action + byte(field, action) + 1))
end

local function forget_days(cutoff)
  local fields, keys, gone = {}, {}, {}
  for _, field in ipairs(call('HKEYS', base)) do
    if byte(field, 1) == 99 then
      local day = counted_day(field)
      if day <= cutoff then
        fields[#fields + 1] = field
        if not gone[day] then
          gone[day] = true
          keys[#keys + 1] = base .. ':s:' .. format('%.0f', day)
        end
      end
    end
  end
  chunks(fields, 1000, function(...) call('HDEL', base, ...) end)
  chunks(keys, 1000, function(...) call('UNLINK', ...) end)
end

local function refresh()
  call('EXPIREAT', base, expires)
  local seen = {}
  for _, field in ipairs(call('HKEYS', base)) do
    local kind = byte(field, 1)
    if kind == 108 then
      local line = sub(field, 2)
      call('EXPIREAT', base .. ':t:' .. line, expires)
      call('EXPIREAT', base .. ':b:' .. line, expires)
    elseif kind == 99 then
      local day = counted_day(field)
      if not seen[day] then
        seen[day] = true
        call('EXPIREAT', base .. ':s:' .. format('%.0f', day), expires)
      end
    end
  end
end

local function keep(line, id, at, at_text, last, body)
  local ids, bodies = base .. ':t:' .. line, base .. ':b:' .. line
  local cutoff = last - MAX_AGE
  if at <= cutoff then return end
  if call('ZADD', ids, 'GT', 'CH', at_text, id) == 0 then
    if tonumber(call('ZSCORE', ids, id)) == at then call('HSET', bodies, id, body) end
    return
  end
  call('HSET', bodies, id, body)
  local held = call('ZCARD', ids)
  if held == 1 then
    call('EXPIREAT', ids, expires)
    call('EXPIREAT', bodies, expires)
  elseif at == last then
    local aged = call('ZRANGEBYSCORE', ids, '-inf', cutoff)
    if #aged > 0 then
      call('ZREMRANGEBYSCORE', ids, '-inf', cutoff)
      chunks(aged, 1000, function(...) call('HDEL', bodies, ...) end)
      held = held - #aged
    end
  end
  if held > KEEP then
    local surplus = call('ZPOPMIN', ids, held - KEEP)
    for i = 1, #surplus, 2 do call('HDEL', bodies, surplus[i]) end
  end
end

for i = 1, #ARGV, 6 do
  local line, action, id, at_text, digest, body = unpack(ARGV, i, i + 5)
  local at = tonumber(at_text)
  local name = char(#line) .. line .. action
  local span_field, meta_field = 'l' .. line, 'm' .. name
  local was = call('HMGET', base, 'd', 'x', span_field, meta_field)
  local set, n = {}, 0

  local refreshed = tonumber(was[2] or nil)
  local due = not refreshed or clock - refreshed >= REFRESH
  if due then
    expires = clock + TTL
    set[1], set[2], n = 'x', format('%.0f', clock), 2
  else
    expires = refreshed + TTL
  end

  local first, last = at, at
  if was[3] then
    local old_last
    first, old_last = halves(was[3])
    last = tonumber(old_last)
  end
  if not was[3] or at < first or at > last then
    if at < first then first = at end
    if at > last then last = at end
    set[n + 1], set[n + 2], n = span_field, format('%.0f %.0f', first, last), n + 2
  end

  local newer = true
  if was[4] then
    local latest_at, latest_id = halves(was[4])
    newer = at > latest_at or (at == latest_at and not less(id, latest_id))
  end
  if newer then
    set[n + 1], set[n + 2], n = meta_field, at_text .. ' ' .. id, n + 2
    set[n + 1], set[n + 2], n = 'b' .. name, body, n + 2
  end

  local day = floor(at / 86400000)
  local newest = tonumber(was[1] or nil)
  if not newest or day > newest then
    set[n + 1], set[n + 2], n = 'd', format('%.0f', day), n + 2
    if newest then forget_days(day - COUNT_DAYS) end
    newest = day
  end

  if n > 0 then call('HSET', base, unpack(set)) end
  if due then refresh() end
  keep(line, id, at, at_text, last, body)
  if day > newest - COUNT_DAYS then
    local seen = base .. ':s:' .. format('%.0f', day)
    if call('SADD', seen, digest) == 1 then
      local field = 'c' .. char(#line) .. line .. char(#action) .. action .. format('%.0f', day)
      if call('HINCRBY', base, field, 1) == 1 then call('EXPIREAT', seen, expires) end
    end
  end
end
