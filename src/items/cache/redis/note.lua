-- Raises the position in KEYS[1] to ARGV[1] and returns the current position. Expires after ARGV[2] milliseconds.
-- Positions are decimal integers without leading zeros. They may exceed the integers that Lua represents exactly.
local noted = redis.call('GET', KEYS[1])
local position = ARGV[1]
if noted and (#noted > #position or (#noted == #position and noted > position)) then position = noted end
redis.call('SET', KEYS[1], position, 'PX', ARGV[2])
return position
