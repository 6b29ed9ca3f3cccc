# shellcheck shell=sh
# Decisions, apart from what carries them out: each reads a census, a line for each server, and prints who should do what.
# Sourced by keeper.sh; charts/ingot/tests/redis-plans.test.ts says what they must answer.

# --- under Sentinels: host, role, master_host, master_port, keys -------------------------------------------------------

# elect: who may become master, from a census on standard input
elect() {
  awk -v all="$REDIS_COUNT" -v first="$REDIS_SET-0.$REDIS_DOMAIN" '
    $2 != "slave" || $3 != "127.0.0.1" { placed++ }
    $4 == 2 { was = $1; masters++ }
    $5 > 0 { full++ }
    END {
      if (NR < all || placed > 0) exit
      if (masters == 1) print was
      else if (masters == 0 && full == 0) print first
    }'
}

# --- a master and its Sentinels: the master that each names, its flags, milliseconds since it last answered -------------

# trusted: "yes" when a majority of all Sentinels has just heard from this server as its master, and nobody replaces it.
# A failover needs a majority that has not.
trusted() {
  awk -v all="$SENTINEL_COUNT" -v self="$SELF" '
    $2 ~ /failover_in_progress/ { replaced = 1 }
    $1 == self && $2 == "master" && $3 < 2000 { calm++ }
    END { if (calm > all / 2 && !replaced) print "yes" }'
}

# --- Sentinels: host, the master it names, its flags, Sentinels and replicas that it sees alive, entries of such that are
# --- gone for good, entries of such that are leaving but still alive, "yes" for a quorum -------------------------------

# plan_forget: the one Sentinel that should forget who is gone for good, the first that knows any. Nobody does while the
# view is partial or anything is going on: a Sentinel that forgets knows no replica for a moment.
plan_forget() {
  sort -V | awk -v all="$SENTINEL_COUNT" -v servers="$REDIS_COUNT" -v set="$REDIS_SET" -v domain="$REDIS_DOMAIN" '
    { if (!NF) next; seen++; if (seen > 1 && $2 != master) wait = 1; master = $2 }
    $3 != "master" || $4 != all - 1 || $5 != servers - 1 || $7 > 0 || $8 != "yes" { wait = 1 }
    $6 > 0 && first == "" { first = $1 }
    END {
      ordinal = substr(master, length(set) + 2)
      sub(/[.].*/, "", ordinal)
      if (seen == all && !wait && master == set "-" ordinal "." domain && ordinal + 0 < servers) print first
    }' | grep . || :
}

# --- in a cluster: host, machine, id, id of its master or "-", number of slots, of keys, of nodes it knows ---------------

# plan_masters: hosts that become masters, from a census: another machine for each, as long as there are any
plan_masters() {
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

# plan_replicas: "host id" of empty servers without a role, and of the master with the fewest replicas that each should
# copy, on another machine if there is one. Nothing while a server does not answer, or has not met all others.
plan_replicas() {
  awk -v all="$REDIS_COUNT" '
    $7 < all { wait = 1 }
    { machine[$3] = $2 }
    $5 > 0 { masters[++m] = $3 }
    $4 != "-" { replicas[$4]++; covered[$4 " " $2] = 1 }
    $5 == 0 && $4 == "-" && $6 == 0 { idle[++n] = $1; where[n] = $2 }
    function cost(master, place) { return 4 * replicas[master] + 2 * (machine[master] == place) }
    END {
      if (NR < all || wait || m == 0) exit
      for (i = 1; i <= n; i++) {
        best = masters[1]
        for (j = 2; j <= m; j++) if (cost(masters[j], where[i]) < cost(best, where[i])) best = masters[j]
        replicas[best]++
        print idle[i], best
      }
    }'
}

# plan_move: the replica that should become master so that the fullest machine has one master fewer. Nothing while a
# server does not answer, or has not met all others.
plan_move() {
  awk -v all="$REDIS_COUNT" '
    $7 < all { wait = 1 }
    { host[$3] = $1; machine[$3] = $2; seen[$2] = 1; master[$3] = $4 }
    $5 > 0 { load[$2]++ }
    END {
      if (NR < all || wait) exit
      for (id in master) {
        if (master[id] == "-" || !(master[id] in machine)) continue
        gain = load[machine[master[id]]] - load[machine[id]]
        if (gain > 1 && (gain > most || (gain == most && host[id] < name))) { most = gain; name = host[id] }
      }
      if (most) print name
    }'
}

# --- passwords: user and digest of what is in the Secret; FILE: user, digest, when it was replaced or 0 ------------------

# renew_passwords NOW SECONDS FILE: the new content of the file
renew_passwords() {
  awk -v now="$1" -v valid="$2" '
    NR == FNR { current[$1] = $2; next }
    $1 in current && current[$1] != $2 {
      replaced = $3 == 0 ? now : $3
      if (now - replaced < valid) print $1, $2, replaced
    }
    END { for (user in current) print user, current[user], 0 }' - "$3"
}
