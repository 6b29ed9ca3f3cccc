-- One node's state of a lock. Atomic. KEYS[1] the lock. Returns {token, remaining ms}, or an empty list.
local holder = redis.call('GET', KEYS[1])
if not holder then
  return {}
end
return { holder, redis.call('PTTL', KEYS[1]) }
