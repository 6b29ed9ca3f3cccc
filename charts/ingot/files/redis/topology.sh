# shellcheck shell=sh
# Decisions about the topology. Pure: each function reads a snapshot from standard input, one line for each server that
# responds, and prints its decision. The scripts that source this file carry the decisions out.
# The test cases are src/redis/topology/cases/*.json. `src/redis/topology` makes the same decisions in TypeScript.

# --- Redis servers under Sentinel: host, role, master_host, master_port, number of keys -------------------------------

# elect_primary: prints the host that becomes primary when no Sentinel knows a primary.
elect_primary() {
  awk -v all="$REDIS_COUNT" -v first="$REDIS_SET-0.$REDIS_DOMAIN" '
    $2 != "slave" || $3 != "127.0.0.1" { has_role++ }
    $4 == 2 { former = $1; former_primaries++ }
    $5 > 0 { with_keys++ }
    END {
      if (NR < all || has_role > 0) exit
      if (former_primaries == 1) print former
      else if (former_primaries == 0 && with_keys == 0) print first
    }'
}

# --- One primary, a line for each Sentinel: primary, its flags, milliseconds since its last reply to a PING -----------

# trust_primary: prints "yes" when a majority of all Sentinels has just heard from this server as their primary, and no
# Sentinel has a failover in progress. A failover needs a majority that has not heard from it.
trust_primary() {
  awk -v all="$SENTINEL_COUNT" -v self="$SELF" '
    $2 ~ /failover_in_progress/ { failover = 1 }
    $1 == self && $2 == "master" && $3 < 2000 { heard++ }
    END { if (heard > all / 2 && !failover) print "yes" }'
}

# --- Sentinels: host, primary, flags of the primary, other Sentinels alive, replicas alive, departed peers, peers that are
# --- departing but still alive, "yes" if there is a quorum -----------------------------------------------------------

# plan_reset: prints the first Sentinel that knows departed peers. It should reset its list of peers.
# Prints nothing while the snapshot is incomplete or anything is changing: after a reset a Sentinel knows no replica for
# a moment.
plan_reset() {
  sort -V | awk -v all="$SENTINEL_COUNT" -v servers="$REDIS_COUNT" -v set="$REDIS_SET" -v domain="$REDIS_DOMAIN" '
    { if (!NF) next; seen++; if (seen > 1 && $2 != primary) wait = 1; primary = $2 }
    $3 != "master" || $4 != all - 1 || $5 != servers - 1 || $7 > 0 || $8 != "yes" { wait = 1 }
    $6 > 0 && first == "" { first = $1 }
    END {
      ordinal = substr(primary, length(set) + 2)
      sub(/[.].*/, "", ordinal)
      if (seen == all && !wait && primary == set "-" ordinal "." domain && ordinal + 0 < servers) print first
    }' | grep . || :
}

# --- Redis Cluster: host, machine, node id, id of its primary or "-", number of slots, of keys, of nodes that it knows 

# plan_primaries: prints the hosts that become the first primaries, on different machines as long as there are enough.
plan_primaries() {
  awk -v all="$REDIS_COUNT" -v want="$CLUSTER_MASTERS" '
    { host[NR] = $1; machine[NR] = $2 }
    $5 > 0 || $6 > 0 || $4 != "-" || $7 < all { wait = 1 }
    END {
      if (NR < all || wait) exit
      for (round = 0; chosen < want; round++)
        for (i = 1; i <= NR && chosen < want; i++)
          if (!(i in taken) && on[machine[i]] <= round) { taken[i] = 1; on[machine[i]]++; chosen++; print host[i] }
    }'
}

# plan_replicas: prints "HOST ID" for each empty server without a role: it should copy the primary with that id. Chooses
# the primary with the fewest replicas, on another machine if there is one.
# Prints nothing while a server does not respond or has not met all others.
plan_replicas() {
  awk -v all="$REDIS_COUNT" '
    $7 < all { wait = 1 }
    { machine[$3] = $2 }
    $5 > 0 { primaries[++m] = $3 }
    $4 != "-" { replicas[$4]++ }
    $5 == 0 && $4 == "-" && $6 == 0 { idle[++n] = $1; idle_machine[n] = $2 }
    function cost(primary, on) { return 4 * replicas[primary] + 2 * (machine[primary] == on) }
    END {
      if (NR < all || wait || m == 0) exit
      for (i = 1; i <= n; i++) {
        best = primaries[1]
        for (j = 2; j <= m; j++) if (cost(primaries[j], idle_machine[i]) < cost(best, idle_machine[i])) best = primaries[j]
        replicas[best]++
        print idle[i], best
      }
    }'
}

# plan_move: prints the replica that should become primary so that the machine with the most primaries has one fewer.
# Prints nothing while a server does not respond or has not met all others.
plan_move() {
  awk -v all="$REDIS_COUNT" '
    $7 < all { wait = 1 }
    { host[$3] = $1; machine[$3] = $2; primary[$3] = $4 }
    $5 > 0 { primaries_on[$2]++ }
    END {
      if (NR < all || wait) exit
      for (id in primary) {
        if (primary[id] == "-" || !(primary[id] in machine)) continue
        gain = primaries_on[machine[primary[id]]] - primaries_on[machine[id]]
        if (gain > 1 && (gain > most || (gain == most && host[id] < name))) { most = gain; name = host[id] }
      }
      if (most) print name
    }'
}

# --- Passwords: standard input has user and digest of each password in the Secret -------------------------------------

# renew_passwords NOW SECONDS FILE: prints the new content of FILE. Its lines are: user, digest, time of replacement in
# seconds since 1970, or 0 for a password that is in the Secret. Drops a digest that was replaced SECONDS or longer ago.
renew_passwords() {
  awk -v now="$1" -v valid="$2" '
    NR == FNR { current[$1] = $2; next }
    $1 in current && current[$1] != $2 {
      replaced = $3 == 0 ? now : $3
      if (now - replaced < valid) print $1, $2, replaced
    }
    END { for (user in current) print user, current[user], 0 }' - "$3"
}
