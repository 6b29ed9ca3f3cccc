-- Raises the position in KEYS[1] to ARGV[1] and answers what it is now. Kept for ARGV[2] milliseconds from here.
-- Positions are whole numbers in decimal, without leading zeros: they may be greater than Lua's numbers are exact.
local noted = redis.call('GET', KEYS[1])
local position = ARGV[1]
if noted and (#noted > #position or (#noted == #position and noted > position)) then position = noted end
redis.call('SET', KEYS[1], position, 'PX', ARGV[2])
return position
