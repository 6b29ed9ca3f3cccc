-- What one node knows of a lock. In: KEYS[1] the lock. Out: {token, milliseconds left}, or an empty list. Atomic.
local holder = redis.call('GET', KEYS[1])
if not holder then
  return {}
end
return { holder, redis.call('PTTL', KEYS[1]) }
