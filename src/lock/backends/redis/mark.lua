-- Writes a mark into fences without data. An epoch that is issued for the mark afterwards is greater than every number
-- that was issued before the data was lost. Atomic.
--
-- KEYS  fences
-- ARGV[1]  the replication id of the intended server
-- ARGV[2]  the mark: a name that begins with that id and that was never used before
-- ARGV[3]  a mark that may be replaced, or ""
-- Returns one text, a word per fence separated by spaces: "+" for a fence with data, otherwise its current mark, which may
-- be an earlier one of the same server. Returns "" if this is not the intended primary.
--
-- The first mark stays, because its epoch is being requested. The next loss of data or the adoption deletes it.
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
