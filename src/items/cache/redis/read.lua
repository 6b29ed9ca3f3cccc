-- Returns the values of KEYS, one per line. The line of a missing key is empty.
local values = redis.call('MGET', unpack(KEYS))
for at = 1, #KEYS do
  if not values[at] then values[at] = '' end
end
return table.concat(values, '\n')
