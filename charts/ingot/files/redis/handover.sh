#!/bin/sh
# preStop: a master that is asked to go hands over first, so that no write that it acknowledged is lost.
# It never keeps the pod from going: after HANDOVER_S seconds, with nobody to hand over to, or when another pod already
# waits for this pod's volume, it ends. It fails when it did not hand over, so that Kubernetes records an event.
# shellcheck disable=SC2086 # lists of host names are words
set -eu
. "${0%/*}/lib.sh"
: "${HANDOVER_S:=30}"
END=$(($(date +%s) + HANDOVER_S))
# what is printed by a hook is seen only when the hook fails
CONTAINER_LOG=/proc/1/fd/2
WHY=$RUN/not-handed-over

in_time() { [ "$(date +%s)" -lt "$END" ]; }

# within_time COMMAND...: repeats it until it succeeds; fails at the deadline of it all
within_time() {
  until "$@"; do
    in_time || return 1
    sleep 0.1
  done
}

role() { me ROLE | head -n 1; }
leads() { [ "$(role)" = master ]; }
follows() { [ "$(role)" = slave ]; }

# online_replicas: the names under which the server on standard input (INFO replication) lists replicas in step
online_replicas() { sed -n 's/^slave[0-9]*:ip=\([^,]*\),.*state=online.*/\1/p'; }

give_up() {
  log "not handed over: $1"
  echo "not handed over: $1" >"$WHY"
  exit 1
}

refusal() { grep -E '^(NOAUTH|WRONGPASS|NOPERM)'; }

# A pod that is going must not become master any more: several may go at once, as when the set gets smaller.
mark_leaving() {
  case $MODE in
    sentinel) me CONFIG SET replica-priority 0 >/dev/null ;;
    cluster) me CONFIG SET cluster-replica-no-failover yes >/dev/null ;;
  esac
}

# staying HOST: whether the server says that it is not marked so. One that does not answer is not staying.
staying() {
  case $MODE in
    sentinel) mark=$(redis_at "$1" CONFIG GET replica-priority | tail -n 1) && [ "${mark:-0}" != 0 ] ;;
    cluster) [ "$(redis_at "$1" CONFIG GET cluster-replica-no-failover | tail -n 1)" = no ] ;;
  esac
}

# --- under Sentinels --------------------------------------------------------------------------------------------------

# The first Sentinel that has a majority and sees replicas that it would promote, all of which stay. Before the pause:
# this may take time, for a Sentinel reads the mark of a leaving replica every 10 s.
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
  for candidate; do staying "$candidate" || return 1; done
}

# The replicas that a Sentinel would promote. Names and values alternate, a line each; every replica begins with "name".
promotable() {
  awk 'NR % 2 { key = $0; next }
    key == "ip" { host = $0 }
    key == "flags" { up = ($0 == "slave") }
    key == "master-link-status" { linked = ($0 == "ok") }
    key == "slave-priority" && up && linked && $0 > 0 { print host }'
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

# begin_failover: from its success on writes stay paused, for a successor may exist already. Who stays is asked again: a
# replica may have been told to go in the meantime.
begin_failover() {
  obstacle="no Sentinel has a majority and a replica to promote that stays"
  choose_sentinel || return 1
  me CLIENT PAUSE "$((HANDOVER_S + 5))000" WRITE >/dev/null
  others=$(me INFO replication | online_replicas)
  if ! within_time caught_up; then
    obstacle='no replica caught up'
  elif all_stay $candidates; then
    if fail_over; then return 0; fi
    obstacle='the Sentinels refused'
  fi
  me CLIENT UNPAUSE >/dev/null
  return 1
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

under_way() { failover_at "$sentinel" >/dev/null; }

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

# The successor refuses writes until another pod than this one follows it. One that is gone itself is not waited for.
succeeded() {
  [ "$MIN_REPLICAS" -gt 0 ] || return 0
  info=$(redis_at "$successor" INFO replication)
  [ "$(echo "$info" | field role)" = master ] || return 0
  echo "$info" | online_replicas | grep -qv "^$SELF\$"
}

hand_over_to_sentinel_choice() {
  [ -n "$(me INFO replication | online_replicas)" ] || give_up 'no replica is in step'
  refused=
  within_time begin_failover || give_up "$obstacle$refused"
  within_time successor_known || give_up 'the failover did not end'
  send_others
  step_down
  log "handed over to $successor"
  within_time succeeded || log "$successor has no other replica yet"
}

# --- in a cluster -----------------------------------------------------------------------------------------------------

# The replica in step that has read most, and stays. Redis names it by its address here.
best_replica() {
  me INFO replication | sed -n 's/^slave[0-9]*:ip=\([^,]*\),.*state=online,offset=\([0-9]*\).*/\2 \1/p' | sort -rn |
    while read -r _ address; do
      if staying "$address"; then echo "$address" && break; fi
    done
}

# CLUSTER FAILOVER stops the master's clients, waits for equal offsets and only then asks for the votes.
ask_replica() {
  replica=$(best_replica)
  [ -n "$replica" ] || return 1
  redis_at "$replica" CLUSTER FAILOVER >/dev/null
  asked=$(date +%s)
  until follows; do
    [ "$(($(date +%s) - asked))" -lt 6 ] || return 1 # it gives up after 5 s by itself
    sleep 0.1
  done
}

owns_slots() { me CLUSTER NODES | awk '$3 ~ /myself/ && NF > 8 { found = 1 } END { exit !found }'; }

hand_over_in_cluster() {
  owns_slots || return 0
  [ -n "$(me INFO replication | online_replicas)" ] || give_up 'no replica is in step'
  within_time ask_replica || give_up 'no replica took over'
  log "handed over to $replica"
}

# --- both -------------------------------------------------------------------------------------------------------------

hand_over() {
  case $MODE in
    sentinel) hand_over_to_sentinel_choice ;;
    cluster) hand_over_in_cluster ;;
  esac
}

no_failover() { ! failover_under_way; }

# A failover that began before the mark was seen may have chosen this server; then it hands over in its turn.
leave_as_replica() {
  [ "$MODE" = sentinel ] || return 0
  sleep 1
  within_time no_failover || :
  ! leads || hand_over
}

leave() {
  now=$(me ROLE)
  case $now in
    master*) mark_leaving && hand_over ;;
    slave*) mark_leaving && leave_as_replica ;;
    NOAUTH* | WRONGPASS* | NOPERM*)
      give_up "this server refused the login of the user admin ($now): its password is not the one in the Secret"
      ;;
    *) [ "$(cat /proc/1/comm)" != "$REDIS_SERVER" ] || give_up 'this server does not answer' ;;
  esac
}

rm -f "$WHY"
if [ -w "$CONTAINER_LOG" ]; then exec 3>>"$CONTAINER_LOG"; else exec 3>&2; fi
leave >&3 2>&3 &
leaving=$!
while kill -0 "$leaving" 2>/dev/null; do
  if replaced; then
    kill "$leaving" || :
    log 'another pod waits for this volume: leaving it at once' 2>&3
    exit 0
  fi
  sleep 0.1
done
wait "$leaving" || { cat "$WHY" >&2 2>/dev/null || : && exit 1; }
