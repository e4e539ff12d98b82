-- KEYS[1]: the owner's profile. ARGV[1]: the number of the repair. ARGV[2]: `begin` or `end`. ARGV[3]: the server's run.
-- Answers whether the step was taken. What the field `w` says is in the script that writes.
local call, base, begun = redis.call, KEYS[1], 'r' .. ARGV[1]
if ARGV[2] == 'begin' then
  -- A field of its own would have no end: it goes with the others of the owner.
  if call('EXISTS', base) == 0 then return 0 end
  call('HSET', base, 'w', begun)
  return 1
end
if call('HGET', base, 'w') ~= begun then return 0 end
call('HSET', base, 'w', ARGV[3])
return 1
