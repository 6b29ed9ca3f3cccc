-- Ends leases, each for itself, if they are still their token's own, and hands each lock to the next in line. A token
-- that holds nothing gives up its entry in the queue, or the lock that is kept for it. Atomic.
--
-- KEYS, two per lock: the lock, the queue of its waiters.
-- ARGV[1]  how long the lock is kept for the next in line, in ms
-- ARGV[2]  the name of this client's wake-up channels
-- ARGV, one per lock: token, or "?token" to give up only what is kept for it: its owner may have taken the lock meanwhile
-- Returns one text with a digit per lock: 1 (released) or 0 (the lease had ended, or was another's).
--
-- A entry in the queue is "token@client". The next in line is woken by a message on the client's channel ("token lock"),
-- and the lock is kept for its token ("?token"), so that nobody who comes by can take it first. A client whose channel nobody
-- listens to is gone, and passed over. A key of another type, which another program wrote, holds no lease and no places,
-- and fails nothing. Channels share the hash tag of the lock: "namespace:{tag}:wake:client".
local call = redis.call

-- the reply; false where the key has another type
local function tolerant(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then return false end
  -- raises what has just failed
  return call(...)
end

-- whether the lock is kept for somebody now; otherwise it is free
local function handed_over(entry, lock, queue)
  local channel = string.match(lock, '^[^}]*}:') .. 'wake:'
  while entry do
    local token, client = string.match(entry, '^([^@]*)@(.*)$')
    if token and call('SPUBLISH', channel .. client, token .. ' ' .. lock) > 0 then
      -- out of memory: then the one just woken has to win the lock like everybody else
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
