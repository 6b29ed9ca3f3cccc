#!/bin/sh
# probe.sh startup|ready|alive for Redis, sentinel-ready|sentinel-alive for Sentinels, keeper for keeper.sh of both.
# Ready knows roles: a replica that has no link or is still copying must not let a rollout take the next pod.
# Alive fails only for a server that does not answer at all: a loading or copying one answers, with an error.
set -eu
. "${0%/*}/lib.sh"

remember() { # whom this pod followed last, itself if it was master; read by start-redis.sh
  [ "$(cat "$DATA/.followed" 2>/dev/null)" = "$1" ] || { echo "$1" >"$DATA/.followed.new" && mv "$DATA/.followed.new" "$DATA/.followed"; }
}

replica_ready() {
  [ "$(echo "$info" | field master_link_status)" = up ] && [ "$(echo "$info" | field master_sync_in_progress)" = 0 ]
}

redis_ready() {
  info=$(me INFO replication)
  case $(echo "$info" | field role) in
    master) following=$SELF ;;
    slave) replica_ready || return 1; following=$(echo "$info" | field master_host) ;;
    *) return 1 ;;
  esac
  [ "$MODE" != sentinel ] || remember "$following"
  [ "$MODE" != cluster ] || me CLUSTER INFO | grep -q '^cluster_state:ok'
}

case $1 in
  startup | alive) [ -n "$(me PING)" ] ;;
  ready) [ "$(me PING)" = PONG ] && redis_ready ;;
  sentinel-alive) [ -n "$(sentinel_at localhost PING)" ] ;;
  sentinel-ready) [ -n "$(sentinel_at localhost SENTINEL GET-MASTER-ADDR-BY-NAME "$MASTER_NAME")" ] ;;
  keeper) [ -n "$(find "$RUN/heartbeat" -mmin -1)" ] ;;
  *) log "unknown probe $1" && exit 2 ;;
esac
