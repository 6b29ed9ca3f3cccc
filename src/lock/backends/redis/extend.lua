-- Extends a lease if this token still holds it. Never shortens it. Atomic.
-- KEYS[1] the lock.  ARGV[1] token, ARGV[2] length of the lease from now on in ms.
-- Returns 1, or 0 if the lease has ended or another token holds it. Idempotent.
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' then
  -- a key of another type: another program wrote over the lease
  if string.find(held.err, 'WRONGTYPE', 1, true) then return 0 end
  -- raises the same error
  held = redis.call('GET', KEYS[1])
end
if held and string.sub(held, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
  -- never shorter: an abandoned command may arrive after a later one
  redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
  return 1
end
return 0
