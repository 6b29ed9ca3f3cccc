#!/bin/sh
# Starts a Redis server in the role that its peers give it. No pod becomes primary while a peer may know another
# primary.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"
. "${0%/*}/passwords.sh"
. "${0%/*}/bootstrap-role.sh"

configure() {
  umask 077
  {
    cat /etc/ingot/redis/redis.conf
    echo "replica-announce-ip $SELF"
    echo "masteruser replication"
    echo "masterauth $(secret replication)"
    if [ "$MODE" = cluster ]; then
      echo "cluster-announce-hostname $SELF"
      echo "cluster-announce-human-nodename $NODE_NAME"
      echo "cluster-announce-ip $POD_IP"
    fi
  } >"$RUN/redis.conf"
}

follow() { echo "replicaof $1 $REDIS_PORT" >>"$RUN/redis.conf"; }

# No primary is known: starts without one, so that all servers can be compared, and bootstrap-role.sh decides. The port
# informs the others of this pod's last role: 2, primary; 1, replica.
start_without_primary() {
  last_role=1
  [ "$(cat "$DATA/.followed" 2>/dev/null)" != "$SELF" ] || last_role=2
  echo "replicaof 127.0.0.1 $last_role" >>"$RUN/redis.conf"
}

# configure_role: returns when the configuration has the role. Waits without a limit, because a start in the wrong role
# loses data.
configure_role() {
  while :; do
    primary=$(sentinel_views | majority_view)
    case $primary in
      '') log 'waiting until a majority of the Sentinels agrees on a primary' ;;
      -) start_without_primary && return ;;
      "$SELF") ! may_become_primary || return 0 ;;
      *) follow "$primary" && return ;;
    esac
    sleep 1
  done
}

# shellcheck disable=SC2046 # host names are words
await_peers() {
  await_login replication "$REDIS_PORT" $(redis_hosts | grep -vxF "$SELF")
  await_login admin "$REDIS_PORT" $(redis_hosts | grep -vxF "$SELF")
  [ "$MODE" != sentinel ] || await_login admin "$SENTINEL_PORT" $(sentinel_hosts)
}

mkdir -p "$RUN"
lock_volume
configure
write_acl redis
[ "$MODE" = standalone ] || await_peers
if [ "$MODE" = sentinel ]; then
  # A server without data must not be promoted before it has copied them. bootstrap-role.sh removes both settings.
  if ! holds_data && [ "$PERSISTENT" = true ]; then echo 'replica-priority 0' >>"$RUN/redis.conf"; fi
  echo "min-replicas-to-write $STARTING_MIN_REPLICAS" >>"$RUN/redis.conf"
  configure_role
fi
exec "$REDIS_SERVER" "$RUN/redis.conf"
