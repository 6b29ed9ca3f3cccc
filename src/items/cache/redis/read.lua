-- The values of KEYS, one a line; an empty line where there is none.
local values = redis.call('MGET', unpack(KEYS))
for at = 1, #KEYS do
  if not values[at] then values[at] = '' end
end
return table.concat(values, '\n')
