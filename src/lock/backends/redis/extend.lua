-- Prolongs a lease if it is still this token's own; never shortens it. Atomic.
-- KEYS[1] the lock.  ARGV[1] token, ARGV[2] length of the lease from now on in ms.
-- Returns 1, or 0 when the lease has ended or is another's. Repeating it does no harm.
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then
  -- a key of another type: another program wrote over the lease
  if string.find(held.err, 'WRONGTYPE', 1, true) then return 0 end
  -- raises what has just failed
  held = redis.call('GET', KEYS[1])
end
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
  -- never shorter: a command that its sender gave up may arrive after a later one
  redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
  return 1
end
return 0
