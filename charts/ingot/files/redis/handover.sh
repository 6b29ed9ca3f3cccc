#!/bin/sh
# preStop hook. A primary that is shutting down hands over first, so that no acknowledged write is lost. The hook never
# blocks the shutdown. It ends after HANDOVER_S seconds, when there is no replica to hand over to, and when another pod
# already waits for this pod's volume. It fails when it did not hand over, so that Kubernetes records an event.
# shellcheck disable=SC2086 # lists of host names are words
set -eu
. "${0%/*}/lib.sh"
: "${HANDOVER_S:=30}"
END=$(($(date +%s) + HANDOVER_S))
# main_process: prints the folder of the container's main process. The first process of a pod that shares its process
# namespace is not of this container.
main_process() {
  if [ "$(cat /proc/1/comm)" = pause ]; then
    for process in /proc/[0-9]*; do
      [ "$(cat "$process/comm" 2>/dev/null)" != "$REDIS_SERVER" ] || { echo "$process" && return; }
    done
  fi
  echo /proc/1
}

MAIN=$(main_process)
# Kubernetes shows the output of a hook only when the hook fails.
CONTAINER_LOG=$MAIN/fd/2
FAILURE=$RUN/not-handed-over

before_deadline() { [ "$(date +%s)" -lt "$END" ]; }

# retry COMMAND...: repeats the command until it succeeds. Fails at the deadline of the hook.
retry() {
  until "$@"; do
    before_deadline || return 1
    sleep 0.1
  done
}

role() { local_cli ROLE | head -n 1; }
is_primary() { [ "$(role)" = master ]; }
is_replica() { [ "$(role)" = slave ]; }

# online_replicas: reads INFO replication of a server from standard input. Prints the names of its replicas in sync.
online_replicas() { sed -n 's/^slave[0-9]*:ip=\([^,]*\),.*state=online.*/\1/p'; }

# give_up REASON
give_up() {
  log "not handed over: $1"
  echo "not handed over: $1" >"$FAILURE"
  exit 1
}

refusal() { grep -E '^(NOAUTH|WRONGPASS|NOPERM)'; }

# mark_departing: a pod that is shutting down must not become primary any more. Several may shut down at the same time,
# for example when the set is scaled down.
mark_departing() {
  case $MODE in
    sentinel) local_cli CONFIG SET replica-priority 0 >/dev/null ;;
    cluster) local_cli CONFIG SET cluster-replica-no-failover yes >/dev/null ;;
  esac
}

# stays HOST: succeeds if the server responds and has no mark of mark_departing.
stays() {
  case $MODE in
    sentinel) mark=$(redis_at "$1" CONFIG GET replica-priority | tail -n 1) && [ "${mark:-0}" != 0 ] ;;
    cluster) [ "$(redis_at "$1" CONFIG GET cluster-replica-no-failover | tail -n 1)" = no ] ;;
  esac
}

# --- Under Sentinel ---------------------------------------------------------------------------------------------------

# choose_sentinel: sets `sentinel` to the first Sentinel that has a majority and sees replicas that it would promote,
# all of which stay, and `candidates` to these replicas. Runs before the pause of writes, because it may take time: a
# Sentinel reads the mark of a departing replica every 10 s.
choose_sentinel() {
  for sentinel in $(sentinel_hosts); do
    quorum=$(sentinel_at "$sentinel" SENTINEL CKQUORUM "$MASTER_NAME")
    case $quorum in
      OK*) ;;
      *)
        refused=$(echo "$quorum" | refusal) && refused="; $sentinel: $refused"
        continue
        ;;
    esac
    candidates=$(sentinel_at "$sentinel" SENTINEL REPLICAS "$MASTER_NAME" | promotable)
    [ -n "$candidates" ] || continue
    if all_stay $candidates; then return 0; fi
  done
  return 1
}

all_stay() {
  for candidate; do stays "$candidate" || return 1; done
}

# promotable: reads SENTINEL REPLICAS from standard input. Prints the replicas that a Sentinel would promote. In the
# reply, names and values alternate, one a line, and every replica begins with "name".
promotable() {
  awk 'NR % 2 { key = $0; next }
    key == "ip" { host = $0 }
    key == "flags" { up = ($0 == "slave") }
    key == "master-link-status" { linked = ($0 == "ok") }
    key == "slave-priority" && up && linked && $0 > 0 { print host }'
}

# caught_up: succeeds if all replicas have all data. Asks the replicas themselves, because they acknowledge to the
# primary only once a second.
caught_up() {
  target=$(local_cli INFO replication | field master_repl_offset)
  for replica in $(local_cli INFO replication | online_replicas); do
    offset=$(redis_at "$replica" INFO replication | field slave_repl_offset)
    [ "${offset:-0}" -ge "$target" ] || return 1
  done
}

fail_over() {
  case $(sentinel_at "$sentinel" SENTINEL FAILOVER "$MASTER_NAME") in OK* | INPROG*) ;; *) return 1 ;; esac
}

# begin_failover: pauses writes and starts a failover. After a success writes stay paused, because a successor may exist
# already. Checks a second time that the candidates stay: one of them may have begun to shut down in the meantime.
begin_failover() {
  obstacle="no Sentinel has a majority and a replica to promote that stays"
  choose_sentinel || return 1
  local_cli CLIENT PAUSE "$((HANDOVER_S + 5))000" WRITE >/dev/null
  others=$(local_cli INFO replication | online_replicas)
  if ! retry caught_up; then
    obstacle='no replica caught up'
  elif all_stay $candidates; then
    if fail_over; then return 0; fi
    obstacle='the Sentinels refused'
  fi
  local_cli CLIENT UNPAUSE >/dev/null
  return 1
}

# successor_known: succeeds if the Sentinel names another primary, and sets `successor`. Chooses another Sentinel if
# this one is gone. Starts the failover again if the Sentinel gave up, because writes are waiting.
successor_known() {
  successor=$(primary_of "$sentinel")
  case $successor in
    '' | '?') choose_sentinel || : ;;
    "$SELF") failover_at "$sentinel" >/dev/null || fail_over || : ;;
    *) return 0 ;;
  esac
  return 1
}

# repoint_replicas: Sentinel repoints the replicas that it knows. One that has just joined would go on following this
# pod, and the successor, without a replica, would refuse writes until this pod is back.
repoint_replicas() {
  for replica in $others; do
    [ "$replica" = "$successor" ] || redis_at "$replica" REPLICAOF "$successor" "$REDIS_PORT" >/dev/null
  done
}

# demote_self: Sentinel would demote a live primary only 8 s later. Until then it would acknowledge writes that are lost
# (redis#6062).
demote_self() {
  local_cli REPLICAOF "$successor" "$REDIS_PORT" >/dev/null
  retry is_replica || give_up 'this server did not become a replica'
  # the clients connect again, to the successor
  local_cli CLIENT KILL TYPE normal SKIPME yes >/dev/null
  local_cli CLIENT KILL TYPE pubsub SKIPME yes >/dev/null
  local_cli CLIENT UNPAUSE >/dev/null
}

# successor_has_replica: the successor refuses writes until a pod other than this one follows it. Succeeds at once if
# the successor itself does not respond: it is not worth waiting for.
successor_has_replica() {
  [ "$MIN_REPLICAS" -gt 0 ] || return 0
  info=$(redis_at "$successor" INFO replication)
  [ "$(echo "$info" | field role)" = master ] || return 0
  echo "$info" | online_replicas | grep -qv "^$SELF\$"
}

hand_over_under_sentinel() {
  [ -n "$(local_cli INFO replication | online_replicas)" ] || give_up 'no replica is in sync'
  refused=
  retry begin_failover || give_up "$obstacle$refused"
  retry successor_known || give_up 'the failover did not end'
  repoint_replicas
  demote_self
  log "handed over to $successor"
  retry successor_has_replica || log "$successor has no other replica yet"
}

# --- In a cluster -----------------------------------------------------------------------------------------------------

# best_replica: prints the replica in sync with the highest offset that stays, as the address that Redis reports.
best_replica() {
  local_cli INFO replication | sed -n 's/^slave[0-9]*:ip=\([^,]*\),.*state=online,offset=\([0-9]*\).*/\2 \1/p' | sort -rn |
    while read -r _ address; do
      if stays "$address"; then echo "$address" && break; fi
    done
}

# take_over: lets the best replica take over. CLUSTER FAILOVER pauses the clients of the primary, waits for equal
# offsets, and only then starts the vote.
take_over() {
  replica=$(best_replica)
  [ -n "$replica" ] || return 1
  redis_at "$replica" CLUSTER FAILOVER >/dev/null
  started=$(date +%s)
  until is_replica; do
    [ "$(($(date +%s) - started))" -lt 6 ] || return 1 # the replica itself gives up after 5 s
    sleep 0.1
  done
}

owns_slots() { local_cli CLUSTER NODES | awk '$3 ~ /myself/ && NF > 8 { found = 1 } END { exit !found }'; }

hand_over_in_cluster() {
  owns_slots || return 0
  [ -n "$(local_cli INFO replication | online_replicas)" ] || give_up 'no replica is in sync'
  retry take_over || give_up 'no replica took over'
  log "handed over to $replica"
}

# --- Both -------------------------------------------------------------------------------------------------------------

hand_over() {
  case $MODE in
    sentinel) hand_over_under_sentinel ;;
    cluster) hand_over_in_cluster ;;
  esac
}

no_failover() { ! failover_in_progress; }

# leave_as_replica: a failover that began before the Sentinels saw the mark may have chosen this server. Then it is
# primary now, and hands over too.
leave_as_replica() {
  [ "$MODE" = sentinel ] || return 0
  sleep 1
  retry no_failover || :
  ! is_primary || hand_over
}

leave() {
  reply=$(local_cli ROLE)
  case $reply in
    master*) mark_departing && hand_over ;;
    slave*) mark_departing && leave_as_replica ;;
    NOAUTH* | WRONGPASS* | NOPERM*)
      give_up "this server refused the login of the user admin ($reply): its password is not the one in the Secret"
      ;;
    *) [ "$(cat "$MAIN/comm")" != "$REDIS_SERVER" ] || give_up 'this server does not respond' ;;
  esac
}

rm -f "$FAILURE"
if [ -w "$CONTAINER_LOG" ]; then exec 3>>"$CONTAINER_LOG"; else exec 3>&2; fi
leave >&3 2>&3 &
leaving=$!
while kill -0 "$leaving" 2>/dev/null; do
  if is_replaced; then
    kill "$leaving" || :
    log 'another pod waits for this volume: releasing it at once' 2>&3
    exit 0
  fi
  sleep 0.1
done
wait "$leaving" || { cat "$FAILURE" >&2 2>/dev/null || : && exit 1; }
