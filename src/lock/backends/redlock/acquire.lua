-- One node's vote on a lock. In: KEYS[1] the lock; ARGV[1] token, ARGV[2] lease in ms. Atomic.
-- Out: 1, a vote: the key was free, or this token had it already (its lease then begins anew, unless it is longer: the first answer was lost);
-- or minus the milliseconds that another token's lease has left.
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
return 1
