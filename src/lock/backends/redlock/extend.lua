-- One node's vote on an extension. Atomic.
-- KEYS[1] the lock. ARGV[1] token, ARGV[2] length of the lease in ms.
-- Returns 1 (a vote) if the token has the key: its lease begins anew, unless it is longer. Returns 0 (no vote) if the
-- node had no lease, because it restarted or was absent; it keeps the key for the token from now on. Otherwise returns
-- minus the remaining ms of another token's lease.
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
return 0
