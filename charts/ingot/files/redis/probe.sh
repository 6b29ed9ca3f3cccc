#!/bin/sh
# probe.sh startup|ready|alive for Redis, sentinel-ready|sentinel-alive for Sentinel, keeper for keeper.sh of both.
# Readiness depends on the role: a replica without a link, or one that is still copying, must not let a rollout go on to
# the next pod. Liveness fails only if a server does not respond at all: while it loads or copies, it responds with an
# error.
set -eu
. "${0%/*}/lib.sh"

# remember HOST: saves the primary that this pod followed last: itself if it was primary. start-redis.sh reads it.
remember() {
  [ "$(cat "$DATA/.followed" 2>/dev/null)" = "$1" ] || { echo "$1" >"$DATA/.followed.new" && mv "$DATA/.followed.new" "$DATA/.followed"; }
}

replica_ready() {
  [ "$(echo "$info" | field master_link_status)" = up ] && [ "$(echo "$info" | field master_sync_in_progress)" = 0 ]
}

redis_ready() {
  info=$(local_cli INFO replication)
  case $(echo "$info" | field role) in
    master) following=$SELF ;;
    slave) replica_ready || return 1; following=$(echo "$info" | field master_host) ;;
    *) return 1 ;;
  esac
  [ "$MODE" != sentinel ] || remember "$following"
  [ "$MODE" != cluster ] || local_cli CLUSTER INFO | grep -q '^cluster_state:ok'
}

case $1 in
  startup | alive) [ -n "$(local_cli PING)" ] ;;
  ready) [ "$(local_cli PING)" = PONG ] && redis_ready ;;
  sentinel-alive) [ -n "$(sentinel_at localhost PING)" ] ;;
  sentinel-ready) [ -n "$(sentinel_at localhost SENTINEL GET-MASTER-ADDR-BY-NAME "$MASTER_NAME")" ] ;;
  keeper) [ -n "$(find "$RUN/heartbeat" -mmin -1)" ] ;;
  *) log "unknown probe $1" && exit 2 ;;
esac
