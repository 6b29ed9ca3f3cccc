# shellcheck shell=sh
# A round of what every pod of a cluster does beside its server, for as long as it runs. Sourced by keeper.sh.
#
# Every pod meets its peers where their names lead now: nodes.conf holds addresses, and after the loss of all pods none
# of them is right (redis#6128). The first pod does besides what is to be done once: it forms the cluster when nobody has
# a slot or a key, gives empty newcomers a master to copy, and keeps masters on different nodes. It changes nothing
# while it does not hear from every server: in a partition both sides would.
SLOTS=16384
# healthy rounds, of 5 s each, before masters are moved: not while anything else is going on
CALM_ROUNDS=12

nodes() { me CLUSTER NODES; }

# located PEER: its name and the address where it leads now, if any
# shellcheck disable=SC2046 # the words of a line
located() {
  set -- "$1" $(getent hosts "$1")
  echo "$1 ${2:-}"
}

# unmet: the peers (standard input: name, address) to which CLUSTER NODES (in $view) shows no live link at that address.
# The address matters: a link that is still being made, to where the node was, is called connected too.
unmet() {
  awk -v view="$view" '
    BEGIN {
      for (i = split(view, lines, "\n"); i > 0; i--) {
        split(lines[i], part, " ")
        split(part[2], address, ",")
        where = address[1]
        sub(/:[0-9]+@[0-9]+$/, "", where)
        if (part[3] !~ /fail|handshake|noaddr/ && part[8] == "connected") linked[address[2] " " where] = 1
      }
    }
    !($1 " " $2 in linked) { print $1 }'
}

# The address comes from the peer itself, by its name and with our password: an address from elsewhere may belong to
# another cluster by now, and to meet that would merge the two.
meet() {
  address=$(redis_at "$1" CONFIG GET cluster-announce-ip | tail -n 1)
  [ -z "$address" ] || me CLUSTER MEET "$address" "$REDIS_PORT" >/dev/null
}

# 0 when all peers are there
# shellcheck disable=SC2046,SC2086 # host names are words
meet_peers() {
  missing=$(at_once located $(redis_hosts | grep -vxF "$SELF") | unmet)
  [ -n "$missing" ] || return 0
  at_once meet $missing
  return 1
}

# Nodes that failed and whose name another one has now: their volume was lost. They own nothing and never come back.
forget_replaced() {
  echo "$view" | awk '{ split($2, address, ","); name = address[2] }
    $3 ~ /fail/ && NF == 8 && name != "" { dead[$1] = name }
    $3 !~ /fail|handshake/ { alive[name] = 1 }
    END { for (id in dead) if (alive[dead[id]]) print id }' |
    while read -r id; do me CLUSTER FORGET "$id" >/dev/null && log "forgot $id, which was replaced"; done
}

# moved_master FOLLOWED: the id of this pod's master when it lives and is not where the pod looks for it
moved_master() {
  awk -v followed="$1" '
    { split($2, address, ","); where = address[1]; sub(/:[0-9]+@[0-9]+$/, "", where); at[$1] = where; flags[$1] = $3 }
    $3 ~ /myself/ { master = $4 }
    END { if (master in at && at[master] != "" && at[master] != followed && flags[master] !~ /fail|noaddr|handshake/) print master }'
}

# Redis moves the link of a replica when its master itself tells a new address. One that it learns from a third node
# it only writes down, and goes on knocking where nobody is.
follow_moved_master() {
  # shellcheck disable=SC2154 # of keeper.sh
  [ "$(echo "$info" | field master_link_status)" = down ] || return 0
  id=$(echo "$view" | moved_master "$(echo "$info" | field master_host)")
  [ -n "$id" ] || return 0
  log 'the master has another address now: following it there'
  me CLUSTER REPLICATE "$id" >/dev/null
}

# --- what the first pod does for all ----------------------------------------------------------------------------------

# standing_in_cluster HOST: its line of the census; nothing when it does not answer
standing_in_cluster() {
  own=$(redis_at "$1" CLUSTER NODES)
  machine=$(redis_at "$1" CONFIG GET cluster-announce-human-nodename | tail -n 1)
  keys=$(redis_at "$1" DBSIZE)
  [ -z "$own" ] || [ -z "$keys" ] || echo "$own" | awk -v host="$1" -v machine="${machine:--}" -v keys="$keys" '
    $3 !~ /handshake|fail/ { known++ }
    $3 ~ /myself/ {
      id = $1; master = $4; slots = 0
      for (i = 9; i <= NF; i++) if ($i !~ /^\[/) { n = split($i, r, "-"); slots += n > 1 ? r[2] - r[1] + 1 : 1 }
    }
    END { print host, machine, id, master, slots, keys, known }'
}

# A line for each server that answers, in the order of their names; see plans.sh.
# shellcheck disable=SC2046 # host names are words
cluster_census() { at_once standing_in_cluster $(redis_hosts) | sort -V; }

form() {
  masters=$(echo "$1" | plan_masters)
  [ -n "$masters" ] || return 0
  log "nobody owns a slot or a key: forming the cluster"
  number=0
  for host in $masters; do
    redis_at "$host" CLUSTER ADDSLOTSRANGE "$((number * SLOTS / CLUSTER_MASTERS))" \
      "$(((number + 1) * SLOTS / CLUSTER_MASTERS - 1))" >/dev/null
    number=$((number + 1))
  done
}

place_newcomers() {
  echo "$1" | plan_replicas | while read -r host master; do
    log "$host copies $master"
    redis_at "$host" CLUSTER REPLICATE "$master" >/dev/null
  done
}

move_a_master() {
  replica=$(echo "$1" | plan_move)
  [ -n "$replica" ] || return 0
  # one that is not in step could not take over, and its master would hold back writes for ten seconds
  [ "$(redis_at "$replica" INFO replication | field master_link_status)" = up ] || return 0
  log "two masters on one machine: $replica takes over"
  redis_at "$replica" CLUSTER FAILOVER >/dev/null
}

# all_met CENSUS: whether every server is in it, and has met all others
all_met() { [ "$(echo "$1" | awk -v all="$REDIS_COUNT" 'NF && $7 >= all { n++ } END { print n + 0 }')" = "$REDIS_COUNT" ]; }

healthy() { me CLUSTER INFO | grep -q '^cluster_state:ok'; }

# lead: 0 when there was nothing to do
lead() {
  people=$(cluster_census)
  all_met "$people" || return 1
  if ! echo "$people" | awk '$5 > 0 { found = 1 } END { exit !found }'; then form "$people" && return 1; fi
  if [ -n "$(echo "$people" | plan_replicas)" ]; then place_newcomers "$people" && return 1; fi
  healthy || return 1
  roles=$(echo "$people" | awk '{ print $1, $3, $4, $5 }')
  if [ "$roles" = "$last_roles" ]; then calm=$((calm + 1)); else calm=0 last_roles=$roles; fi
  [ "$calm" -ge "$CALM_ROUNDS" ] || return 0
  calm=0
  move_a_master "$people"
}

# cluster_round: 0 when there was nothing to do. `info` is the INFO of this pod's server.
cluster_round() {
  view=$(nodes)
  follow_moved_master
  meet_peers || { calm=0 && return 1; }
  forget_replaced
  [ "$SELF" != "$REDIS_SET-0.$REDIS_DOMAIN" ] || lead
}
