-- Ends leases, each for itself, if they are still their token's own, and hands each lock to the next in line. A token
-- that holds nothing gives up its place in the queue, or the lock that is kept for it. Atomic.
--
-- KEYS, two per lock: the lock, the queue of its waiters.
-- ARGV[1]  how long the lock is kept for the next in line, in ms
-- ARGV[2]  the name of this client's wake-up channels
-- ARGV, two per lock: token, prefix of the wake-up channels of its tag
-- Returns 1 (released) or 0 (the lease had ended, or was another's) per lock.
--
-- A place in the queue is "token@client". The next in line is woken by a message on the client's channel ("token lock"),
-- and the lock is kept for its token ("?token"), so that nobody who comes by can take it first. A client whose channel nobody
-- listens to is gone, and passed over. Channels share the hash tag of the lock.
local keep, client = ARGV[1], ARGV[2]

local function hand_over(lock, queue, channel)
  while true do
    local place = redis.call('LPOP', queue)
    if not place then break end
    local token, owner = string.match(place, '^([^@]*)@(.*)$')
    if token and redis.call('SPUBLISH', channel .. owner, token .. ' ' .. lock) > 0 then
      local kept = redis.pcall('SET', lock, '?' .. token, 'PX', keep)
      -- out of memory: then the one just woken has to win the lock like everybody else
      if kept.ok then return else break end
    end
  end
  redis.call('DEL', lock)
end

local out = {}
for i = 0, #KEYS / 2 - 1 do
  local lock, queue = KEYS[2 * i + 1], KEYS[2 * i + 2]
  local token, channel = ARGV[2 * i + 3], ARGV[2 * i + 4]
  local held = redis.call('GET', lock)
  if held and string.sub(held, 1, #token + 1) == token .. ':' then
    hand_over(lock, queue, channel)
    out[i + 1] = 1
  else
    if held == '?' .. token then
      hand_over(lock, queue, channel)
    else
      redis.call('LREM', queue, 0, token .. '@' .. client)
    end
    out[i + 1] = 0
  end
end
return out
