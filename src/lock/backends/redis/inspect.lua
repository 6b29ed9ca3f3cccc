-- Reads the state of a lock. Changes nothing. Atomic.
-- KEYS[1] the lock.
-- Returns the lock's value ("token:fence", or "?token" while it is reserved for the next waiter; nil if free)
-- and its remaining ms.
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
