-- Tries to take locks, each for itself, and gives every grant its fence. Atomic, as every script is.
--
-- KEYS, three per lock: the lock, the fence of its tag, the queue of its waiters.
-- ARGV[1]  "1" when a grant needs an epoch that this very server took ("always"), "0" when counting is enough
-- ARGV[2]  the name of this client's wake-up channels
-- ARGV[3]  a name that no other call ever used, for claims
-- ARGV, three per lock: token, length of the lease in ms, "1" to keep a place in the queue when refused
--
-- Returns three values per lock:
--   1, fence, 0                         granted
--   4, "fence", remaining ms            held already by this very token; the lease is not prolonged
--   0, remaining ms (-1: unknown), 0    held by another, or kept for the next in line
--   2, claim, stored epoch (-1: none)   nothing granted: this server must first adopt an epoch (adopt.lua)
--   3, 0, 0                             nothing granted: this server is no master
--   5, 0, 0                             nothing granted: the epoch has no number left
--
-- The lock is "token:fence" while it is held, "?token" while it is kept for the next in line. The fence of a tag is a
-- hash: id (replication id of the master that took the epoch), epoch, n (the last number given: the epoch in its high
-- bits, a count in the 40 low ones), claim. Lua's numbers are exact up to 2^53 only; above, n is read as text.
-- A fence whose id is not the server's own was taken by another master, or by this one before a restart or a role
-- change, and some of its counts may be lost. Redis makes a new random replication id on every one of these, so
-- comparing it here, in the same atomic step as the grant, cannot let a stale epoch through.
local needs_epoch, client, unique = ARGV[1] == '1', ARGV[2], ARGV[3]
local replid
if needs_epoch then
  local info = redis.call('INFO', 'replication')
  replid = string.find(info, 'role:master', 1, true) and string.match(info, 'master_replid:(%x+)')
end

local out = {}
for i = 0, #KEYS / 3 - 1 do
  local lock, fence, queue = KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3]
  local token, ttl, waits = ARGV[3 * i + 4], ARGV[3 * i + 5], ARGV[3 * i + 6] == '1'
  local held = redis.call('GET', lock)
  local a, b, c

  if not held or held == '?' .. token then
    local free, last = true, 9007199254740992
    if needs_epoch then
      local seen = redis.call('HMGET', fence, 'id', 'epoch', 'claim')
      if not replid then
        free, a, b, c = false, 3, 0, 0
      elseif seen[1] == replid then
        last = tonumber(seen[2]) * 1099511627776 + 1099511627775
      else
        local claim = seen[3]
        if not claim or string.sub(claim, 1, #replid) ~= replid then
          claim = replid .. ':' .. unique
          redis.call('HSET', fence, 'claim', claim)
        end
        free, a, b, c = false, 2, claim, tonumber(seen[2] or -1)
      end
    end
    if free then
      local n = redis.call('HINCRBY', fence, 'n', 1)
      local number = n < 9007199254740992 and string.format('%.0f', n) or redis.call('HGET', fence, 'n')
      if n >= last and needs_epoch then
        a, b, c = 5, 0, 0
      else
        redis.call('SET', lock, token .. ':' .. number, 'PX', ttl)
        if waits then redis.call('LREM', queue, 0, token .. '@' .. client) end
        a, b, c = 1, number, 0
      end
    end
  elseif string.sub(held, 1, #token + 1) == token .. ':' then
    a, b, c = 4, string.sub(held, #token + 2), redis.call('PTTL', lock)
  else
    local left = redis.call('PTTL', lock)
    if waits then
      local place = token .. '@' .. client
      if not redis.call('LPOS', queue, place) then redis.call('RPUSH', queue, place) end
      redis.call('PEXPIRE', queue, math.max(left, 0) + 2000)
    end
    a, b, c = 0, left, 0
  end
  out[3 * i + 1], out[3 * i + 2], out[3 * i + 3] = a, b, c
end
return out
