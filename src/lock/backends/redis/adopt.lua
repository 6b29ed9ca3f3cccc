-- Gives fences that have no data an epoch, where the mark stands for which it was fetched. Atomic.
--
-- KEYS  fences.
-- ARGV[1]  the replication id of the server that is meant
-- ARGV[2]  the mark
-- ARGV[3]  the line that the fences belong to from now on
-- ARGV[4]  the epoch
-- ARGV[5]  the number from which it counts
-- Returns how many fences took the epoch.
--
-- The epoch was fetched after the mark was written, which was after the loss of the data. A mark that is gone means
-- another loss or another adoption since: the epoch may be too small by now. A fence of an earlier version has an epoch
-- and no line; it only ever goes up.
local info = redis.call('INFO', 'replication')
if string.match(info, 'master_replid:(%x+)') ~= ARGV[1] or not string.find(info, 'role:master', 1, true) then return 0 end

local adopted = 0
for _, fence in ipairs(KEYS) do
  local seen = redis.call('HMGET', fence, 'line', 'mark', 'epoch')
  if not seen[1] and seen[2] == ARGV[2] and tonumber(ARGV[4]) > tonumber(seen[3] or -1) then
    redis.call('HDEL', fence, 'mark')
    redis.call('HSET', fence, 'id', ARGV[1], 'line', ARGV[3], 'epoch', ARGV[4], 'n', ARGV[5])
    adopted = adopted + 1
  end
end
return adopted
