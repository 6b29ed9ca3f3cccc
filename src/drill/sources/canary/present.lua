-- Returns a text with one digit for each number in ARGV: 1 if it is present, otherwise 0.
--
-- KEYS[1]  a hash whose fields are the numbers
-- ARGV     the numbers
local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
local digits = {}
for i = 1, #ARGV do
  digits[i] = found[i] and '1' or '0'
end
return table.concat(digits)
