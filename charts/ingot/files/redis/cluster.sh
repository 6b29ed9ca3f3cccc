# shellcheck shell=sh
# One round of keeper.sh in a pod of a Redis Cluster. Sourced by keeper.sh.
#
# Every pod meets its peers at the current addresses of their names. The addresses in nodes.conf are out of date when
# all pods have been lost (redis#6128). The first pod also does the work that is needed once: it forms the cluster when
# no server has a slot or a key, makes empty new servers replicas, and keeps primaries on different nodes. It changes
# nothing unless every server responds: in a partition, both sides would act.
SLOTS=16384
# Healthy rounds, of 5 s each, before a primary is moved. It is not moved while anything else changes.
STABLE_ROUNDS=12

# resolve HOST: prints the host and its current address, if it has one.
# shellcheck disable=SC2046 # the words of a line
resolve() {
  set -- "$1" $(getent hosts "$1")
  echo "$1 ${2:-}"
}

# unmet: reads peers from standard input, a line each: host, address. Prints the hosts to which $view, the output of
# CLUSTER NODES, shows no live link at that address. The address matters: a link that is still being made to the old
# address is reported as connected too.
unmet() {
  awk -v view="$view" '
    BEGIN {
      for (i = split(view, lines, "\n"); i > 0; i--) {
        split(lines[i], part, " ")
        split(part[2], address, ",")
        ip = address[1]
        sub(/:[0-9]+@[0-9]+$/, "", ip)
        if (part[3] !~ /fail|handshake|noaddr/ && part[8] == "connected") linked[address[2] " " ip] = 1
      }
    }
    !($1 " " $2 in linked) { print $1 }'
}

# meet HOST: reads the address from the peer itself, by its name and with our password. An address from elsewhere may
# belong to another cluster by now, and CLUSTER MEET would merge the two.
meet() {
  address=$(redis_at "$1" CONFIG GET cluster-announce-ip | tail -n 1)
  [ -z "$address" ] || local_cli CLUSTER MEET "$address" "$REDIS_PORT" >/dev/null
}

# meet_peers: succeeds if there are links to all peers. Otherwise meets the missing ones and fails.
# shellcheck disable=SC2046,SC2086 # host names are words
meet_peers() {
  missing=$(in_parallel resolve $(redis_hosts | grep -vxF "$SELF") | unmet)
  [ -n "$missing" ] || return 0
  in_parallel meet $missing
  return 1
}

# forget_replaced: forgets failed nodes whose name another node has now. Their volume was lost, so they own nothing and
# never come back.
forget_replaced() {
  echo "$view" | awk '{ split($2, address, ","); name = address[2] }
    $3 ~ /fail/ && NF == 8 && name != "" { dead[$1] = name }
    $3 !~ /fail|handshake/ { alive[name] = 1 }
    END { for (id in dead) if (alive[dead[id]]) print id }' |
    while read -r id; do local_cli CLUSTER FORGET "$id" >/dev/null && log "forgot $id, which was replaced"; done
}

# moved_primary ADDRESS: prints the id of this pod's primary if it is alive at another address than ADDRESS, which this
# pod follows.
moved_primary() {
  awk -v followed="$1" '
    { split($2, address, ","); ip = address[1]; sub(/:[0-9]+@[0-9]+$/, "", ip); at[$1] = ip; flags[$1] = $3 }
    $3 ~ /myself/ { primary = $4 }
    END { if (primary in at && at[primary] != "" && at[primary] != followed && flags[primary] !~ /fail|noaddr|handshake/) print primary }'
}

# follow_moved_primary: Redis updates the link of a replica when the primary itself announces a new address. If a third
# node announces it, Redis only records the address and goes on connecting to the old one.
follow_moved_primary() {
  # shellcheck disable=SC2154 # set by keeper.sh
  [ "$(echo "$info" | field master_link_status)" = down ] || return 0
  id=$(echo "$view" | moved_primary "$(echo "$info" | field master_host)")
  [ -n "$id" ] || return 0
  log 'the address of the primary has changed: following it there'
  local_cli CLUSTER REPLICATE "$id" >/dev/null
}

# --- Work of the first pod for all ------------------------------------------------------------------------------------

# cluster_report_of HOST: prints its line of the snapshot, or nothing if it does not respond.
cluster_report_of() {
  nodes=$(redis_at "$1" CLUSTER NODES)
  machine=$(redis_at "$1" CONFIG GET cluster-announce-human-nodename | tail -n 1)
  keys=$(redis_at "$1" DBSIZE)
  [ -z "$nodes" ] || [ -z "$keys" ] || echo "$nodes" | awk -v host="$1" -v machine="${machine:--}" -v keys="$keys" '
    $3 !~ /handshake|fail/ { known++ }
    $3 ~ /myself/ {
      id = $1; primary = $4; slots = 0
      for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, r, "-"); slots += n > 1 ? r[2] - r[1] + 1 : 1 }
    }
    END { print host, machine, id, primary, slots, keys, known }'
}

# cluster_snapshot: prints a line for each server that responds, in the order of their names. topology.sh has the
# format.
# shellcheck disable=SC2046 # host names are words
cluster_snapshot() { in_parallel cluster_report_of $(redis_hosts) | sort -V; }

# form_cluster SNAPSHOT: divides the slots among the first primaries. Does nothing if plan_primaries prints none.
form_cluster() {
  primaries=$(echo "$1" | plan_primaries)
  [ -n "$primaries" ] || return 0
  log 'no server has a slot or a key: forming the cluster'
  number=0
  for host in $primaries; do
    redis_at "$host" CLUSTER ADDSLOTSRANGE "$((number * SLOTS / CLUSTER_MASTERS))" \
      "$(((number + 1) * SLOTS / CLUSTER_MASTERS - 1))" >/dev/null
    number=$((number + 1))
  done
}

# attach_replicas SNAPSHOT
attach_replicas() {
  echo "$1" | plan_replicas | while read -r host primary; do
    log "$host becomes a replica of $primary"
    redis_at "$host" CLUSTER REPLICATE "$primary" >/dev/null
  done
}

# move_primary SNAPSHOT
move_primary() {
  replica=$(echo "$1" | plan_move)
  [ -n "$replica" ] || return 0
  # a replica that is not in sync could not take over, and its primary would delay writes for ten seconds
  [ "$(redis_at "$replica" INFO replication | field master_link_status)" = up ] || return 0
  log "two primaries on one machine: $replica takes over"
  redis_at "$replica" CLUSTER FAILOVER >/dev/null
}

# all_met SNAPSHOT: succeeds if the snapshot has every server and each has met all others.
all_met() { [ "$(echo "$1" | awk -v all="$REDIS_COUNT" 'NF && $7 >= all { n++ } END { print n + 0 }')" = "$REDIS_COUNT" ]; }

cluster_is_ok() { local_cli CLUSTER INFO | grep -q '^cluster_state:ok'; }

# reconcile: takes at most one step towards the desired topology. Succeeds if nothing had to change, or a primary moves.
# Leaves every step to the operator while it steers.
reconcile() {
  if operator_steers; then stable_rounds=0 && return 0; fi
  snapshot=$(cluster_snapshot)
  all_met "$snapshot" || return 1
  if ! echo "$snapshot" | awk '$5 > 0 { found = 1 } END { exit !found }'; then form_cluster "$snapshot" && return 1; fi
  if [ -n "$(echo "$snapshot" | plan_replicas)" ]; then attach_replicas "$snapshot" && return 1; fi
  cluster_is_ok || return 1
  roles=$(echo "$snapshot" | awk '{ print $1, $3, $4, $5 }')
  if [ "$roles" = "$last_roles" ]; then stable_rounds=$((stable_rounds + 1)); else stable_rounds=0 last_roles=$roles; fi
  [ "$stable_rounds" -ge "$STABLE_ROUNDS" ] || return 0
  stable_rounds=0
  move_primary "$snapshot"
}

# cluster_round: succeeds if nothing had to change. `info` is the reply to INFO of this pod's server.
cluster_round() {
  view=$(local_cli CLUSTER NODES)
  look_for_operator local_cli
  follow_moved_primary
  meet_peers || { stable_rounds=0 && return 1; }
  forget_replaced
  [ "$SELF" != "$REDIS_SET-0.$REDIS_DOMAIN" ] || reconcile
}
