#!/bin/sh
# Beside a starting Redis server under Sentinels, until it has found its place.
#
# Sentinels that know no master leave the servers orphaned: each follows 127.0.0.1, port 1 ("I was no master") or
# port 2 ("I was"). Then exactly one becomes master, and only when all servers answer, so that no data are overlooked:
#   all are empty and none was master          -> ordinal 0, the first start of all
#   one was master and all others followed it  -> that one: the Sentinels have lost their volumes
# Anything else is left to a person (see RUNBOOK): guessing would throw acknowledged writes away.
#
# A master that is back before its Sentinels gave it up may still be replaced: they may have begun just then, and would
# throw away what it acknowledged meanwhile. It takes no write (start-redis.sh) until a majority has heard from it again.
set -eu
. "${0%/*}/lib.sh"
. "${0%/*}/plans.sh"

# standing_of HOST: its line of the census
standing_of() {
  info=$(redis_at "$1" INFO replication)
  keys=$(redis_at "$1" DBSIZE)
  [ -z "$info" ] || [ -z "$keys" ] || echo "$1 $(echo "$info" | field role) \
$(echo "$info" | field master_host) $(echo "$info" | field master_port) $keys"
}

# A line for each server that answers; see plans.sh.
# shellcheck disable=SC2046 # host names are words
census() { at_once standing_of $(redis_hosts); }

orphaned() { me INFO replication | grep -q '^master_host:127.0.0.1'; }

# adopt MASTER: what the Sentinels know now
adopt() {
  [ "$1" != "$SELF" ] || return 0
  log "following $1"
  me REPLICAOF "$1" "$REDIS_PORT" >/dev/null
}

lead_if_elected() {
  elected=$(census | elect)
  if [ "$elected" = "$SELF" ]; then
    log 'no Sentinel knows a master and all servers agree: this pod becomes the master'
    me REPLICAOF NO ONE >/dev/null
  elif [ -z "$elected" ]; then
    log 'no Sentinel knows a master; waiting until all servers answer and their memories agree (see RUNBOOK)'
  fi
}

in_place() {
  info=$(me INFO replication)
  case $(echo "$info" | field role) in
    master) trusted_by_sentinels ;;
    slave) in_step "$info" ;;
    *) return 1 ;;
  esac
}

# in_step INFO. A replica whose master is gone asks the Sentinels: they would send it to the new one 8 s later, and until
# then a new master without another replica refuses writes.
in_step() {
  if [ "$(echo "$1" | field master_link_status)" = up ]; then
    [ "$(echo "$1" | field master_sync_in_progress)" = 0 ]
    return
  fi
  master=$(opinions | agreed)
  case $master in '' | - | "$SELF" | "$(echo "$1" | field master_host)") ;; *) adopt "$master" ;; esac
  return 1
}

trusted_by_sentinels() {
  [ "$(views | trusted)" != yes ] || return 0
  # replaced meanwhile: the Sentinels would leave it a master for 8 s more
  successor=$(opinions | agreed)
  case $successor in '' | - | "$SELF") ;; *) adopt "$successor" ;; esac
  return 1
}

# view_of SENTINEL: its line of the views. Names and values alternate in the answer, a line each.
view_of() {
  sentinel_at "$1" SENTINEL MASTER "$MASTER_NAME" | awk '
    NR % 2 { key = $0; next }
    { value[key] = $0 }
    END { if ("ip" in value) print value["ip"], value["flags"], value["last-ok-ping-reply"] }'
}

# A line for each Sentinel that knows a master; see plans.sh.
# shellcheck disable=SC2046 # host names are words
views() { at_once view_of $(sentinel_hosts); }

# set_until_done NAME VALUE
set_until_done() { until [ "$(me CONFIG SET "$1" "$2")" = OK ]; do sleep 1; done; }

until [ "$(me PING)" = PONG ]; do sleep 0.2; done
while orphaned; do
  master=$(opinions | agreed)
  case $master in
    '') ;;
    -) lead_if_elected ;;
    *) adopt "$master" ;;
  esac
  sleep 1
done
until in_place; do sleep 0.2; done
set_until_done min-replicas-to-write "$MIN_REPLICAS"
set_until_done replica-priority 100
