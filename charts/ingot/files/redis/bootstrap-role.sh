# shellcheck shell=sh
# Gives a starting Redis server its role under Sentinel. Sourced by start-redis.sh and by keeper.sh. keeper.sh calls
# `bootstrap_role` until the server has its role.
#
# When the Sentinels know no primary, every server starts without one: it follows 127.0.0.1, port 1 ("I was a replica")
# or port 2 ("I was the primary"). One server becomes primary only when all servers respond, so that no data are missed:
#   all servers are empty and none was primary  -> ordinal 0: the first start
#   exactly one server was primary              -> that server: the Sentinels have lost their volumes
# In any other case an operator must decide (see RUNBOOK): a wrong choice would lose acknowledged writes.
#
# A primary may come back before the Sentinels have given it up. They may still be starting a failover, which would lose
# the writes that it acknowledges meanwhile. So it takes no writes (start-redis.sh) until a majority of the Sentinels
# has heard from it again.

# server_report_of HOST: prints its line of the topology snapshot.
server_report_of() {
  info=$(redis_at "$1" INFO replication)
  keys=$(redis_at "$1" DBSIZE)
  [ -z "$info" ] || [ -z "$keys" ] || echo "$1 $(echo "$info" | field role) \
$(echo "$info" | field master_host) $(echo "$info" | field master_port) $keys"
}

# topology_snapshot: prints a line for each server that responds, in the format of elect_primary.
# shellcheck disable=SC2046 # host names are words
topology_snapshot() { in_parallel server_report_of $(redis_hosts); }

# may_become_primary: succeeds if this pod, which the Sentinels name as primary, may serve. From an empty volume it
# would overwrite the data of the replicas.
may_become_primary() {
  if failover_in_progress; then log 'the Sentinels are choosing another primary: waiting for the outcome' && return 1; fi
  if holds_data || [ "$PERSISTENT" = false ]; then return 0; fi
  log 'the Sentinels name this pod as primary but its volume is empty: waiting until they choose a pod that has the data'
  return 1
}

# has_no_primary INFO
has_no_primary() { echo "$1" | grep -q '^master_host:127.0.0.1'; }

# follow_primary HOST
follow_primary() {
  [ "$1" != "$SELF" ] || return 0
  log "following $1"
  local_cli REPLICAOF "$1" "$REDIS_PORT" >/dev/null
}

become_primary_if_elected() {
  elected=$(topology_snapshot | elect_primary)
  if [ "$elected" = "$SELF" ]; then
    log 'no Sentinel knows a primary and all servers agree: this pod becomes the primary'
    local_cli REPLICAOF NO ONE >/dev/null
  elif [ -z "$elected" ]; then
    log 'no Sentinel knows a primary; waiting until all servers respond and their recorded primaries agree (see RUNBOOK)'
  fi
}

# has_role INFO: succeeds if the server is a trusted primary or a replica in sync.
has_role() {
  case $(echo "$1" | field role) in
    master) confirm_primary ;;
    slave) keep_in_sync "$1" ;;
    *) return 1 ;;
  esac
}

# keep_in_sync INFO: succeeds if this replica is in sync. A replica whose link is down follows the primary that a
# majority of the Sentinels names. Sentinel itself would repoint it only 8 s later, and until then a new primary without
# another replica refuses writes.
keep_in_sync() {
  if [ "$(echo "$1" | field master_link_status)" = up ]; then
    [ "$(echo "$1" | field master_sync_in_progress)" = 0 ]
    return
  fi
  primary=$(sentinel_views | majority_view)
  case $primary in '' | - | "$SELF" | "$(echo "$1" | field master_host)") ;; *) follow_primary "$primary" ;; esac
  return 1
}

# confirm_primary: succeeds if this primary may take writes. If the Sentinels have replaced it, it follows its
# successor. Sentinel itself would demote it only 8 s later.
confirm_primary() {
  [ "$(primary_statuses | trust_primary)" != yes ] || return 0
  successor=$(sentinel_views | majority_view)
  case $successor in '' | - | "$SELF") ;; *) follow_primary "$successor" ;; esac
  return 1
}

# primary_statuses: prints a line for each Sentinel that knows a primary, in the format of trust_primary.
# shellcheck disable=SC2046 # host names are words
primary_statuses() { in_parallel primary_status_of $(sentinel_hosts); }

choose_role() {
  # shellcheck disable=SC2034 # read by keeper.sh
  step_pause=1
  primary=$(sentinel_views | majority_view)
  case $primary in
    '') ;;
    -) become_primary_if_elected ;;
    "$SELF") ! may_become_primary || local_cli REPLICAOF NO ONE >/dev/null ;;
    *) follow_primary "$primary" ;;
  esac
}

# has_bootstrapped: succeeds if the server no longer has the setting of start-redis.sh that is removed last. Fails if
# the server does not respond.
has_bootstrapped() {
  least=$(local_cli CONFIG GET min-replicas-to-write | tail -n 1)
  [ "${least:-$STARTING_MIN_REPLICAS}" != "$STARTING_MIN_REPLICAS" ]
}

# bootstrap_role INFO: takes one step towards the server's role. Succeeds when the server has it.
bootstrap_role() {
  if has_no_primary "$1"; then choose_role && return 1; fi
  has_role "$1" || return 1
  [ "$(local_cli CONFIG SET replica-priority 100)" = OK ] &&
    [ "$(local_cli CONFIG SET min-replicas-to-write "$MIN_REPLICAS")" = OK ]
}
