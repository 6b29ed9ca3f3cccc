-- Writes a name into the fences that have no data, so that an epoch can be fetched which is greater than every number
-- that was given before the data was lost. Atomic.
--
-- KEYS  fences.
-- ARGV[1]  the replication id of the server that is meant
-- ARGV[2]  the mark: a name that begins with that id and that was never used before
-- ARGV[3]  a mark that may be replaced, or ""
-- Returns one text, a word per fence separated by spaces: "+" for a fence that has data, else the mark that stands there
-- now, which is an earlier one of the same server if there is one. "" when this is not the primary that is meant.
--
-- The first mark stays: its epoch is on its way. It is gone with the next loss of data, or with the adoption.
local info = redis.call('INFO', 'replication')
if string.match(info, 'master_replid:(%x+)') ~= ARGV[1] or not string.find(info, 'role:master', 1, true) then return '' end

local words = {}
for i, fence in ipairs(KEYS) do
  local seen = redis.pcall('HMGET', fence, 'line', 'mark')
  local mark = seen[2]
  -- a key of another type belongs to another program
  if seen.err or seen[1] then
    words[i] = '+'
  elseif mark and mark ~= ARGV[3] and string.sub(mark, 1, #ARGV[1]) == ARGV[1] then
    words[i] = mark
  else
    redis.call('HSET', fence, 'mark', ARGV[2])
    words[i] = ARGV[2]
  end
end
return table.concat(words, ' ')
