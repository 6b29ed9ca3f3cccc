-- Tries to take locks, each for itself, and gives every grant its fence. Atomic, as every script is.
--
-- KEYS, three per lock: the lock, the fence of its tag, the queue of its waiters.
-- ARGV[1]  "" when counting is enough; else a grant needs an epoch that this very server took ("always"), and this is
--          a name that no other call ever used, for claims
-- ARGV, three per lock: token, length of the lease in ms, and "token@client" to keep that place in the queue when
-- refused, or "" to keep none
--
-- Returns one text: a word per lock, separated by spaces, of parts separated by commas. One text is read by clients in
-- a fraction of the time that an array takes.
--   1,fence                        granted
--   4,fence,remaining ms           held already by this very token; the lease is not prolonged
--   0,remaining ms (-1: unknown)   held by another, or kept for the next in line
--   2,claim,stored epoch (-1: none) nothing granted: this server must first adopt an epoch (adopt.lua)
--   3                              nothing granted: this server is no master
--   5                              nothing granted: the epoch has no number left
--   6,lock|fence|queue             nothing granted: that key has another type, so another program wrote it; the other
--                                  locks of the call are served all the same
--
-- The lock is "token:fence" while it is held, "?token" while it is kept for the next in line. The fence of a tag is a
-- hash: id (replication id of the master that took the epoch), epoch, n (the last number given: the epoch in its high
-- bits, a count in the 40 low ones), claim. Lua's numbers are exact up to 2^53 only; above, n is read as text.
-- A fence whose id is not the server's own was taken by another master, or by this one before a restart or a role
-- change, and some of its counts may be lost. Redis makes a new random replication id on every one of these, so
-- comparing it here, in the same atomic step as the grant, cannot let a stale epoch through.
local call = redis.call
local unique = ARGV[1]
local needs_epoch = unique ~= ''
local replid
if needs_epoch then
  local info = call('INFO', 'replication')
  replid = string.find(info, 'role:master', 1, true) and string.match(info, 'master_replid:(%x+)')
end

-- the word of the lock whose names begin at KEYS[i]; raises what a command of it raises
local function attempt(i)
  local lock, token, place = KEYS[i], ARGV[i + 1], ARGV[i + 3]
  local held = call('GET', lock)
  local word

  if not held or held == '?' .. token then
    local fence, free, last = KEYS[i + 1], true, 9007199254740992
    if needs_epoch then
      local seen = call('HMGET', fence, 'id', 'epoch', 'claim')
      if not replid then
        free, word = false, '3'
      elseif seen[1] == replid then
        last = tonumber(seen[2]) * 1099511627776 + 1099511627775
      else
        local claim = seen[3]
        if not claim or string.sub(claim, 1, #replid) ~= replid then
          claim = replid .. ':' .. unique
          call('HSET', fence, 'claim', claim)
        end
        free, word = false, '2,' .. claim .. ',' .. (seen[2] or '-1')
      end
    end
    if free then
      -- before anything is granted: a queue of another type raises here
      if place ~= '' then call('LREM', KEYS[i + 2], 0, place) end
      local n = call('HINCRBY', fence, 'n', 1)
      local number = n < 9007199254740992 and string.format('%.0f', n) or call('HGET', fence, 'n')
      if n >= last and needs_epoch then
        word = '5'
      else
        call('SET', lock, token .. ':' .. number, 'PX', ARGV[i + 2])
        word = '1,' .. number
      end
    end
  elseif string.sub(held, 1, #token + 1) == token .. ':' then
    word = '4,' .. string.sub(held, #token + 2) .. ',' .. call('PTTL', lock)
  else
    local left = call('PTTL', lock)
    if place ~= '' then
      local queue = KEYS[i + 2]
      if not call('LPOS', queue, place) then call('RPUSH', queue, place) end
      call('PEXPIRE', queue, math.max(left, 0) + 2000)
    end
    word = '0,' .. left
  end
  return word
end

-- the word of a lock whose attempt raised because of a key of another type; nil for every other error
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
    -- returned and not raised again, which would put ERR before it
    if not word then return type(failure) == 'table' and failure or redis.error_reply(failure) end
  end
  out = out and out .. ' ' .. word or word
end
return out
