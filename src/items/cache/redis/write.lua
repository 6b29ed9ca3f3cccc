-- Sets KEYS to the arguments after the first. ARGV[1] is their time to live in milliseconds.
for at, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[at + 1], 'PX', ARGV[1])
end
return 1
