-- Gives the fence of a tag a new epoch, if this server is still the one for which the epoch was fetched. Atomic.
--
-- KEYS[1] the fence.
-- ARGV[1] replication id for which the epoch was fetched
-- ARGV[2] the claim it was fetched for, or "" when it was fetched for the replication id alone
-- ARGV[3] the epoch
-- ARGV[4] the number from which it counts
-- Returns 1 when the fence has an epoch of this server now, 0 when the epoch does not fit and another must be fetched.
--
-- An epoch only ever rises. One that was fetched for the replication id may have been fetched by anybody at any time
-- of this master's reign, so it is only taken over a fence that another reign left behind; after that the id stands
-- there. A fence that is not there at all may have been deleted within this reign: for it the epoch must have been
-- fetched after the claim was written, which was after the loss. The claim is gone with the next loss or adoption.
local info = redis.call('INFO', 'replication')
local replid = string.match(info, 'master_replid:(%x+)')
if replid ~= ARGV[1] or not string.find(info, 'role:master', 1, true) then return 0 end

local seen = redis.call('HMGET', KEYS[1], 'id', 'epoch', 'claim')
if seen[1] == replid then return 1 end
if tonumber(ARGV[3]) <= tonumber(seen[2] or -1) then return 0 end
if ARGV[2] == '' then
  if not seen[1] then return 0 end
elseif seen[3] ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[1], 'claim')
redis.call('HSET', KEYS[1], 'id', replid, 'epoch', ARGV[3], 'n', ARGV[4])
return 1
