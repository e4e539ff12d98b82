-- KEYS[1]: the owner's profile. ARGV[1]: the number of a repair. ARGV[2]: the server's run. ARGV[3]: its mark when the repair
-- ends; none when it begins. What the field `w` says is in the script that writes.
-- Answers the number of the repair that is under way, or nothing where there can be none; at an end the number that ended.
local call, base, number, run, ends = redis.call, KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local mark = call('HGET', base, 'w')
if ends then
  if mark ~= 'r' .. number .. ' ' .. run then return false end
  call('HSET', base, 'w', ends)
  return number
end
-- A field of its own would have no end: it goes with the others of the owner.
if call('EXISTS', base) == 0 then return false end
local begun = mark and string.match(mark, '^r(%d+) (.*)$')
if begun and mark == 'r' .. begun .. ' ' .. run then return begun end
call('HSET', base, 'w', 'r' .. number .. ' ' .. run)
return number
