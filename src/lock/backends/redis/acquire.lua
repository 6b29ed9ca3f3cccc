-- Tries to acquire locks independently of each other, and gives every grant its fence. Atomic.
--
-- KEYS, three per lock: the lock, the fence of its tag, the queue of its waiters.
-- ARGV[1]  "" without a fence store. Otherwise a grant needs an epoch ("always"), and this is the replication id of the
--          server whose epoch the client has confirmed with the fence store since it connected, or "-" for none. Then:
--   ARGV[2]  the confirmed epoch
--   ARGV[3]  the first number of the epoch: the epoch in the high bits, 0 in the 40 low bits
--   ARGV[4]  the lines for which the epoch was confirmed: ",line,line,"
-- ARGV, three per lock: token, length of the lease in ms, and "token@client" to add that wait entry if refused,
-- or "" to add none
--
-- Returns one string: a word per lock, separated by spaces, with parts separated by commas. Clients parse a string in a
-- fraction of the time of an array.
--   1,fence                        granted
--   4,fence,remaining ms           this token already holds the lock; the lease is not extended
--   0,remaining ms (-1: unknown)   held by another token, or reserved for the next waiter
--   2,replication id,stored epoch (-1: none),1 if this server stored it else 0,line ("": the fence has no data)
--                                  nothing granted: the client must first confirm an epoch for this server and line
--   3                              nothing granted: this server is not a primary
--   5                              nothing granted: the epoch has no number left
--   6,lock|fence|queue             nothing granted: that key has another type, so another program wrote it; the other
--                                  locks of the call are still served
--
-- The lock is "token:fence" while it is held, "?token" while it is reserved for the next waiter. The fence of a tag is
-- a hash: id (replication id of the primary that took the epoch), epoch, line (a name that copies of this data share,
-- and no other data), n (the last issued number), mark (see mark.lua). Lua's numbers are exact only up to 2^53. A
-- larger n is read as text.
--
-- If the id of a fence is not the server's own, another primary took the epoch, or this one did before a restart or a
-- role change, and some counts may be lost. If the epoch of a fence is below the confirmed one, another server was
-- primary in between, and this one was never demoted. In both cases the fence is first raised to the confirmed epoch,
-- in the same atomic step as the grant. Redis creates a new random replication id at every start and role change, so an
-- epoch that was confirmed for another term of this server does not match.
local call = redis.call
local confirmed = ARGV[1]
local always = confirmed ~= ''
local base = always and 4 or 1
local epoch, replid
if always then
  -- plain searches: a pattern costs half as much as INFO itself
  local info = call('INFO', 'replication')
  if string.find(info, 'role:master', 1, true) then
    local at = string.find(info, 'master_replid:', 1, true) + 14
    replid = string.sub(info, at, at + 39)
  end
  epoch = tonumber(ARGV[2])
end

-- Returns the word for the obstacle that prevents the tag from counting. If there is none, returns nil and the epoch.
local function obstacle(fence)
  local seen = call('HMGET', fence, 'id', 'epoch', 'line')
  local id, stored, line = seen[1], tonumber(seen[2] or -1), seen[3]
  if line and replid == confirmed and string.find(ARGV[4], ',' .. line .. ',', 1, true) then
    if id == replid and stored >= epoch then return nil, stored end
    if epoch > stored then
      call('HSET', fence, 'id', replid, 'epoch', ARGV[2], 'n', ARGV[3])
      return nil, epoch
    end
  end
  local own = id == replid and '1' or '0'
  return '2,' .. replid .. ',' .. stored .. ',' .. own .. ',' .. (line or '')
end

-- returns the word of the lock whose names begin at KEYS[i]; raises the errors of its commands
local function attempt(i)
  local lock, token, entry = KEYS[i], ARGV[base + i], ARGV[base + i + 2]
  local held = call('GET', lock)
  local mine = held and string.sub(held, 1, #token + 1) == token .. ':'
  local word, counts_in

  if always and not replid then
    word = '3'
  elseif always and (mine or not held or held == '?' .. token) then
    word, counts_in = obstacle(KEYS[i + 1])
  end

  if word then
    -- nothing more to do
  elseif mine and (not always or math.floor(tonumber(string.sub(held, #token + 2)) / 1099511627776) >= epoch) then
    word = '4,' .. string.sub(held, #token + 2) .. ',' .. call('PTTL', lock)
  elseif mine or not held or held == '?' .. token then
    -- the token's own lease is granted again if its fence is from before another server was primary
    -- before anything is granted: a queue of another type raises here
    if entry ~= '' then call('LREM', KEYS[i + 2], 0, entry) end
    local n = call('HINCRBY', KEYS[i + 1], 'n', 1)
    local number = n < 9007199254740992 and string.format('%.0f', n) or call('HGET', KEYS[i + 1], 'n')
    if always and n >= counts_in * 1099511627776 + 1099511627775 then
      word = '5'
    else
      call('SET', lock, token .. ':' .. number, 'PX', ARGV[base + i + 1])
      word = '1,' .. number
    end
  else
    local left = call('PTTL', lock)
    if entry ~= '' then
      local queue = KEYS[i + 2]
      if not call('LPOS', queue, entry) then call('RPUSH', queue, entry) end
      call('PEXPIRE', queue, math.max(left, 0) + 2000)
    end
    word = '0,' .. left
  end
  return word
end

-- returns the word of a lock whose attempt failed because of a key of another type; nil for every other error
local function foreign(i, failure)
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  if not string.find(text, 'WRONGTYPE', 1, true) then return end
  if type(redis.pcall('GET', KEYS[i])) == 'table' then return '6,lock' end
  return type(redis.pcall('HGET', KEYS[i + 1], 'n')) == 'table' and '6,fence' or '6,queue'
end

local out
for i = 1, #KEYS, 3 do
  local done, word = pcall(attempt, i)
  if not done then
    local failure = word
    word = foreign(i, failure)
    -- returned, because raising it again would prepend ERR
    if not word then return type(failure) == 'table' and failure or redis.error_reply(failure) end
  end
  out = out and out .. ' ' .. word or word
end
return out
