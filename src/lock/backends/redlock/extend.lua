-- One node's vote on a longer lease. In: KEYS[1] the lock; ARGV[1] token, ARGV[2] lease in ms. Atomic.
-- Out: 1, a vote: the token has the key, and its lease begins anew; 0, no vote: the node knew of no lease (it restarted,
-- or was not there), but keeps the key for the token from now on; or minus what another token's lease has left.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return -redis.call('PTTL', KEYS[1])
end
if holder then
  -- never shorter: a command that its sender gave up may arrive after a later one
  redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
  return 1
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0
