-- Releases leases that their tokens still hold, and reserves each lock for its next waiter. A token without a lease loses
-- its wait entry or its reservation. Atomic.
--
-- KEYS, two per lock: the lock, the queue of its waiters.
-- ARGV[1]  how long the lock is reserved for the next waiter, in ms
-- ARGV[2]  the name of this client's wake-up channels
-- ARGV, one per lock: token, or "?token" to release only its reservation, because its owner may have acquired the lock
-- Returns one text with a digit per lock: 1 (released) or 0 (the lease had ended, or another token held it).
--
-- A wait entry is "token@client". A message on the client's channel ("token lock") wakes the next waiter, and the lock is
-- reserved for its token ("?token"), so that no other client can acquire it first. A client without a subscriber is gone
-- and is skipped. A key of another type, which another program wrote, counts as no lease and no wait entries. Channels share the hash tag of the lock: "namespace:{tag}:wake:client".
local call = redis.call

-- returns the reply, or false if the key has another type
local function tolerant(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then return false end
  -- raises the same error
  return call(...)
end

-- returns true if the lock is now reserved for a waiter
local function handed_over(entry, lock, queue)
  local channel = string.match(lock, '^[^}]*}:') .. 'wake:'
  while entry do
    local token, client = string.match(entry, '^([^@]*)@(.*)$')
    if token and call('SPUBLISH', channel .. client, token .. ' ' .. lock) > 0 then
      -- SET can fail when out of memory: the woken waiter then competes for the lock
      return redis.pcall('SET', lock, '?' .. token, 'PX', ARGV[1]).ok
    end
    entry = tolerant('LPOP', queue)
  end
end

local out = ''
for i = 1, #KEYS / 2 do
  local lock, queue, token = KEYS[2 * i - 1], KEYS[2 * i], ARGV[i + 2]
  local held = tolerant('GET', lock)
  local kept_only = string.sub(token, 1, 1) == '?'
  local own = held and string.sub(held, 1, #token + 1) == token .. ':'
  if own or held == (kept_only and token or '?' .. token) then
    local entry = tolerant('LPOP', queue)
    if not entry or not handed_over(entry, lock, queue) then call('DEL', lock) end
  elseif not kept_only then
    tolerant('LREM', queue, 0, token .. '@' .. ARGV[2])
  end
  out = out .. (own and '1' or '0')
end
return out
