-- Says what a lock is. Changes nothing. Atomic.
-- KEYS[1] the lock.
-- Returns the lock's value ("token:fence", or "?token" while it is kept for the next in line; nil when free)
-- and its remaining ms.
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
