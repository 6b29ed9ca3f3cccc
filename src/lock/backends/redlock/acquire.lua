-- One node's vote on a lock. Atomic.
-- KEYS[1] the lock. ARGV[1] token, ARGV[2] length of the lease in ms.
-- Returns 1 (a vote) if the key was free, or if this token already had it: the first reply may have been lost, so the
-- lease begins anew, unless it is longer. Otherwise returns minus the remaining ms of another token's lease.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return -redis.call('PTTL', KEYS[1])
end
if holder then
  -- never shorter: an abandoned command may arrive after a later one
  redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
  return 1
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
