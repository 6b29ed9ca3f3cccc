#!/bin/sh
# Starts the cache: a Redis server that knows nobody and keeps nothing.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/plans.sh"
. "${0%/*}/passwords.sh"
mkdir -p "$RUN"
write_acl cache
exec "$REDIS_SERVER" /etc/ingot/redis/cache.conf
