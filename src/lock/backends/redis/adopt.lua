-- Gives an epoch to fences without data that still have the mark for which the epoch was issued. Atomic.
--
-- KEYS  fences
-- ARGV[1]  the replication id of the intended server
-- ARGV[2]  the mark
-- ARGV[3]  the line of the fences from now on
-- ARGV[4]  the epoch
-- ARGV[5]  the first number of the epoch
-- Returns the number of fences that adopted the epoch.
--
-- The epoch was issued after the mark was written, which was after the loss of the data. If the mark is gone, there was
-- another loss or another adoption since, and the epoch may be too small. A fence of an earlier version has an epoch
-- and no line. Its epoch is only raised.
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
