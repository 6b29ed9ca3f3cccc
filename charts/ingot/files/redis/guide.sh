# shellcheck shell=sh
# How a starting Redis server under Sentinels finds its place. Sourced by start-redis.sh, and by keeper.sh,
# which calls `find_place` until it did.
#
# Sentinels that know no master leave the servers orphaned: each follows 127.0.0.1, port 1 ("I was no master") or
# port 2 ("I was"). Then exactly one becomes master, and only when all servers answer, so that no data are overlooked:
#   all are empty and none was master          -> ordinal 0, the first start of all
#   one was master and all others followed it  -> that one: the Sentinels have lost their volumes
# Anything else is left to a person (see RUNBOOK): guessing would throw acknowledged writes away.
#
# A master that is back before its Sentinels gave it up may still be replaced: they may have begun just then, and would
# throw away what it acknowledged meanwhile. It takes no write (start-redis.sh) until a majority has heard from it again.

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

# May this pod, which the Sentinels call master, serve? An empty volume would be copied over the others' data.
may_lead() {
  if failover_under_way; then log 'the Sentinels are choosing another master: waiting for the outcome' && return 1; fi
  if holds_data || [ "$PERSISTENT" = false ]; then return 0; fi
  log 'the Sentinels call this pod master but its volume is empty: waiting until they choose a pod that has the data'
  return 1
}

# orphaned INFO
orphaned() { echo "$1" | grep -q '^master_host:127.0.0.1'; }

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

# in_place INFO
in_place() {
  case $(echo "$1" | field role) in
    master) trusted_by_sentinels ;;
    slave) in_step "$1" ;;
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

# A line for each Sentinel that knows a master; see plans.sh.
# shellcheck disable=SC2046 # host names are words
views() { at_once view_of $(sentinel_hosts); }

leave_orphanage() {
  # shellcheck disable=SC2034 # of keeper.sh
  step_pause=1
  master=$(opinions | agreed)
  case $master in
    '') ;;
    -) lead_if_elected ;;
    "$SELF") ! may_lead || me REPLICAOF NO ONE >/dev/null ;;
    *) adopt "$master" ;;
  esac
}

# settled: whether start-redis.sh's mark, which is taken away last, is no longer on the server. No answer is no.
settled() { least=$(me CONFIG GET min-replicas-to-write | tail -n 1) && [ "${least:-$STARTING}" != "$STARTING" ]; }

# find_place INFO: a step on the way to the server's place; 0 when it has it
find_place() {
  if orphaned "$1"; then leave_orphanage && return 1; fi
  in_place "$1" || return 1
  [ "$(me CONFIG SET replica-priority 100)" = OK ] && [ "$(me CONFIG SET min-replicas-to-write "$MIN_REPLICAS")" = OK ]
}
