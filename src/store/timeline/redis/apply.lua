-- KEYS[1]: the owner's profile. ARGV[1]: the server's time in seconds; then six values per entry: line, action, id,
-- at_ms, digest, body. Ages and sizes stand in front of this text as KEEP, MAX_AGE, COUNT_DAYS, TTL, REFRESH.
--
-- Fields of the profile; <n> is the length of the next text as one byte:
--   d newest day    x second of the last refresh    l<line> "first last"
--   m<n><line><action> "at_ms id" of the latest    b<n><line><action> its body
--   c<n><line><n><action><day> count
--   w `r<number> <run>` of a repair that has begun in this run of the server; then `a<run>` when all is there, `t<run>` when
--     the timelines are, and the profile tells of the newest entries alone
--
-- This runs once for nearly every record: what is rare stands in one function, which costs nothing to define, and what
-- the profile tells is not asked again.
local call, byte, char, sub, find = redis.call, string.byte, string.char, string.sub, string.find
local floor, format, tonumber, unpack = math.floor, string.format, tonumber, unpack
local base, clock = KEYS[1], tonumber(ARGV[1])

local function rarely(task, a, b)
  local function in_chunks(list, use)
    for from = 1, #list, 1000 do
      use(unpack(list, from, math.min(from + 999, #list)))
    end
  end

  -- Byte order; `<` would follow the server's locale.
  if task == 'less' then
    for i = 1, math.min(#a, #b) do
      local x, y = byte(a, i), byte(b, i)
      if x ~= y then return x < y end
    end
    return #a < #b
  end

  -- Removes from the timeline `a` and its bodies `b` what is too old; how many.
  if task == 'age' then
    local ids, cutoff = a[1], a[2]
    local aged = call('ZRANGEBYSCORE', ids, '-inf', cutoff)
    if #aged > 0 then
      call('ZREMRANGEBYSCORE', ids, '-inf', cutoff)
      in_chunks(aged, function(...) call('HDEL', b, ...) end)
    end
    return #aged
  end

  local lines, days, fields = {}, {}, {}
  for _, field in ipairs(call('HKEYS', base)) do
    local kind = byte(field, 1)
    if kind == 108 then
      lines[#lines + 1] = sub(field, 2)
    elseif kind == 99 then
      local action = 3 + byte(field, 2)
      local day = tonumber(sub(field, action + byte(field, action) + 1))
      days[day] = base .. ':s:' .. format('%.0f', day)
      if task == 'forget days' and day <= a then fields[#fields + 1] = field end
    end
  end

  -- Removes the days up to `a`.
  if task == 'forget days' then
    local keys = {}
    for day, key in pairs(days) do
      if day <= a then keys[#keys + 1] = key end
    end
    in_chunks(fields, function(...) call('HDEL', base, ...) end)
    in_chunks(keys, function(...) call('UNLINK', ...) end)
    return
  end

  -- All keys of the owner expire at `a`.
  call('EXPIREAT', base, a)
  for _, line in ipairs(lines) do
    call('EXPIREAT', base .. ':t:' .. line, a)
    call('EXPIREAT', base .. ':b:' .. line, a)
  end
  for _, key in pairs(days) do call('EXPIREAT', key, a) end
end

for i = 2, #ARGV, 6 do
  local line, action, id, at_text, digest, body = unpack(ARGV, i, i + 5)
  local at = tonumber(at_text)
  local name = char(#line) .. line .. action
  local span_field, meta_field = 'l' .. line, 'm' .. name
  local was = call('HMGET', base, 'd', 'x', span_field, meta_field)
  local set, n = {}, 0

  local refreshed = was[2] and tonumber(was[2])
  local due = not refreshed or clock - refreshed >= REFRESH
  if due then
    refreshed = clock
    set[1], set[2], n = 'x', ARGV[1], 2
  end
  local expires = refreshed + TTL

  local first, last = at, at
  local span = was[3]
  if span then
    local space = find(span, ' ', 1, true)
    first, last = tonumber(sub(span, 1, space - 1)), tonumber(sub(span, space + 1))
  end
  if not span or at < first or at > last then
    if at < first then first = at end
    if at > last then last = at end
    set[n + 1], set[n + 2], n = span_field, format('%.0f %.0f', first, last), n + 2
  end

  local newer = true
  local meta = was[4]
  if meta then
    local space = find(meta, ' ', 1, true)
    local latest = tonumber(sub(meta, 1, space - 1))
    newer = at > latest or (at == latest and not rarely('less', id, sub(meta, space + 1)))
  end
  if newer then
    set[n + 1], set[n + 2], set[n + 3], set[n + 4] = meta_field, at_text .. ' ' .. id, 'b' .. name, body
    n = n + 4
  end

  local day = floor(at / 86400000)
  local day_text = format('%.0f', day)
  local newest = was[1] and tonumber(was[1])
  if not newest or day > newest then
    set[n + 1], set[n + 2], n = 'd', day_text, n + 2
    if newest then rarely('forget days', day - COUNT_DAYS) end
    newest = day
  end

  if n > 0 then call('HSET', base, unpack(set)) end
  if due then rarely('refresh', expires) end

  local cutoff = last - MAX_AGE
  if at > cutoff then
    local ids, bodies = base .. ':t:' .. line, base .. ':b:' .. line
    if call('ZADD', ids, 'GT', 'CH', at_text, id) == 1 then
      call('HSET', bodies, id, body)
      local held = call('ZCARD', ids)
      if held == 1 then
        call('EXPIREAT', ids, expires)
        call('EXPIREAT', bodies, expires)
      elseif at == last and first <= cutoff then
        held = held - rarely('age', { ids, cutoff }, bodies)
      end
      if held > KEEP then
        local surplus = call('ZPOPMIN', ids, held - KEEP)
        for at = 1, #surplus, 2 do call('HDEL', bodies, surplus[at]) end
      end
    elseif tonumber(call('ZSCORE', ids, id)) == at then
      call('HSET', bodies, id, body)
    end
  end

  if day > newest - COUNT_DAYS then
    local seen = base .. ':s:' .. day_text
    if call('SADD', seen, digest) == 1 then
      local field = 'c' .. char(#line) .. line .. char(#action) .. action .. day_text
      if call('HINCRBY', base, field, 1) == 1 then call('EXPIREAT', seen, expires) end
    end
  end
end
