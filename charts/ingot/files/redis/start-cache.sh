#!/bin/sh
# Starts the cache: a Redis server that knows nobody and keeps nothing.
set -eu
. "${0%/*}/lib.sh"
mkdir -p "$RUN"
write_acl users.cache
exec "$REDIS_SERVER" /etc/ingot/redis/cache.conf
