-- Which numbers are kept: a text of a digit for each of ARGV, 1 or 0.
--
-- KEYS[1]  the numbers, a hash
-- ARGV     numbers
local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
local digits = {}
for i = 1, #ARGV do
  digits[i] = found[i] and '1' or '0'
end
return table.concat(digits)
