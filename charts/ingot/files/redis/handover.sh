#!/bin/sh
# preStop: a master that is asked to go hands over first, so that no write that it acknowledged is lost.
# It never keeps the pod from going: after HANDOVER_S seconds, or with nobody to hand over to, it ends.
set -eu
. "${0%/*}/lib.sh"
: "${HANDOVER_S:=30}"
END=$(($(date +%s) + HANDOVER_S))

# within_time COMMAND...: repeats it until it succeeds; fails at the deadline of it all
within_time() {
  until "$@"; do
    [ "$(date +%s)" -lt "$END" ] || return 1
    sleep 0.1
  done
}

leads() { [ "$(me ROLE | head -n 1)" = master ]; }
follows() { [ "$(me ROLE | head -n 1)" = slave ]; }

# online_replicas: the names under which the server on standard input (INFO replication) lists replicas in step
online_replicas() { sed -n 's/^slave[0-9]*:ip=\([^,]*\),.*state=online.*/\1/p'; }

give_up() {
  log "not handed over: $1"
  exit 0
}

# --- under Sentinels --------------------------------------------------------------------------------------------------

# The first Sentinel that has a majority and sees a replica that it would promote. Before the pause: this may take time.
choose_sentinel() {
  for sentinel in $(sentinel_hosts); do
    case $(sentinel_at "$sentinel" SENTINEL CKQUORUM "$MASTER_NAME") in OK*) ;; *) continue ;; esac
    if sentinel_at "$sentinel" SENTINEL REPLICAS "$MASTER_NAME" | promotable; then return 0; fi
  done
  return 1
}

# Names and values alternate, a line each; every replica begins with "name".
promotable() {
  awk 'NR % 2 { key = $0; next }
    key == "flags" { up = ($0 == "slave") }
    key == "master-link-status" { linked = ($0 == "ok") }
    key == "slave-priority" && up && linked && $0 > 0 { good = 1 }
    END { exit !good }'
}

# The replicas' own word: what they acknowledge to the master comes once a second only.
caught_up() {
  target=$(me INFO replication | field master_repl_offset)
  for replica in $(me INFO replication | online_replicas); do
    offset=$(redis_at "$replica" INFO replication | field slave_repl_offset)
    [ "${offset:-0}" -ge "$target" ] || return 1
  done
}

fail_over() {
  case $(sentinel_at "$sentinel" SENTINEL FAILOVER "$MASTER_NAME") in OK* | INPROG*) ;; *) return 1 ;; esac
}

# A Sentinel that is gone is replaced, and an attempt that it gave up is asked for again: writes are waiting.
successor_known() {
  successor=$(master_of "$sentinel")
  case $successor in
    '' | '?') choose_sentinel || : ;;
    "$SELF") under_way || fail_over || : ;;
    *) return 0 ;;
  esac
  return 1
}

under_way() { sentinel_at "$sentinel" SENTINEL MASTER "$MASTER_NAME" | grep -q failover_in_progress; }

# Sentinel sends those that it knows; one that has just joined would go on following this pod, and the successor, without
# a replica, would refuse writes until this pod is back.
send_others() {
  for replica in $others; do
    [ "$replica" = "$successor" ] || redis_at "$replica" REPLICAOF "$successor" "$REDIS_PORT" >/dev/null
  done
}

# Sentinel leaves a live master alone for 8 s more: this is what keeps it from acknowledging in vain (redis#6062).
step_down() {
  me REPLICAOF "$successor" "$REDIS_PORT" >/dev/null
  within_time follows || give_up 'this server did not step down'
  me CLIENT KILL TYPE normal SKIPME yes >/dev/null # their next connection leads to the successor
  me CLIENT KILL TYPE pubsub SKIPME yes >/dev/null
  me CLIENT UNPAUSE >/dev/null
}

# The successor refuses writes until another pod than this one follows it.
succeeded() {
  [ "$MIN_REPLICAS" -gt 0 ] || return 0
  redis_at "$successor" INFO replication | online_replicas | grep -qv "^$SELF\$"
}

hand_over_to_sentinel_choice() {
  within_time choose_sentinel || give_up 'no Sentinel has a majority and a replica to promote'
  me CLIENT PAUSE "$((HANDOVER_S + 5))000" WRITE >/dev/null
  others=$(me INFO replication | online_replicas)
  within_time caught_up || { me CLIENT UNPAUSE >/dev/null; give_up 'no replica caught up'; }
  within_time fail_over || { me CLIENT UNPAUSE >/dev/null; give_up 'the Sentinels refused'; }
  # from here on writes stay paused: a successor may exist already
  within_time successor_known || give_up 'the failover did not end'
  send_others
  step_down
  log "handed over to $successor"
  within_time succeeded || log "$successor has no other replica yet"
}

# --- in a cluster -----------------------------------------------------------------------------------------------------

# The replica in step that has read most. Redis names it by its address here.
best_replica() {
  me INFO replication | sed -n 's/^slave[0-9]*:ip=\([^,]*\),.*state=online,offset=\([0-9]*\).*/\2 \1/p' |
    sort -rn | awk 'NR == 1 { print $2 }'
}

# CLUSTER FAILOVER stops the master's clients, waits for equal offsets and only then asks for the votes.
ask_replica() {
  replica=$(best_replica)
  [ -n "$replica" ] || give_up 'no replica is in step'
  redis_at "$replica" CLUSTER FAILOVER >/dev/null
  asked=$(date +%s)
  until follows; do
    [ "$(($(date +%s) - asked))" -lt 6 ] || return 1 # it gives up after 5 s by itself
    sleep 0.1
  done
}

owns_slots() { me CLUSTER NODES | awk '$3 ~ /myself/ && NF > 8 { found = 1 } END { exit !found }'; }

hand_over_in_cluster() {
  owns_slots || exit 0
  within_time ask_replica || give_up 'no replica took over'
  log "handed over to $replica"
}

leads || exit 0
case $MODE in
  sentinel)
    [ -n "$(me INFO replication | online_replicas)" ] || give_up 'no replica is in step'
    hand_over_to_sentinel_choice
    ;;
  cluster) hand_over_in_cluster ;;
esac
