# shellcheck shell=sh
# Changes passwords while servers run. Sourced.
#
# Kubernetes updates a changed Secret in the pods within about a minute and a half, in each pod at its own time. So a
# server that reads a new password (keeper.sh) goes on accepting the old one for PREVIOUS_VALID_S seconds, and a client
# uses the new one only when all servers that respond accept it.
: "${PREVIOUS_VALID_S:=86400}"
# A line for each password that this server accepts: user, digest, time of replacement (0: it is in the Secret).
KNOWN=$DATA/.passwords

# users SET: prints the users of this pod's server. A user without a password in the Secret is left out: the Secret may
# be older than the user.
users() {
  awk 'NF { print $1 }' "$SETTINGS/users.$1" | while read -r name; do
    if [ -r "$AUTH/$name-password" ]; then echo "$name"; fi
  done
}

# rules_of SET USER: prints the ACL rules of the user.
rules_of() { awk -v user="$2" '$1 == user { $1 = $2 = ""; sub(/^ +/, ""); print }' "$SETTINGS/users.$1"; }

digest() { printf %s "$(secret "$1")" | sha256sum | cut -d ' ' -f 1; }

# update_known USER...: updates KNOWN from the Secret, and drops passwords that were replaced too long ago.
update_known() (
  umask 077
  [ -e "$KNOWN" ] || : >"$KNOWN"
  for name; do echo "$name $(digest "$name")"; done | renew_passwords "$(date +%s)" "$PREVIOUS_VALID_S" "$KNOWN" >"$KNOWN.new"
  mv "$KNOWN.new" "$KNOWN"
)

# write_acl SET: writes the users of this pod's server. The default user is off, so every client must log in. The
# default user has all permissions nevertheless, because a server replays its append-only file as that user. Without
# permissions it would skip the writes of scripts and transactions, with no more than a line in the log.
write_acl() (
  umask 077
  remember_secrets "$1"
  # shellcheck disable=SC2046 # names are words
  update_known $(users "$1")
  for name in $(users "$1"); do
    echo "user $name on $(accepted "$name") sanitize-payload $(rules_of "$1" "$name")"
  done >"$RUN/users.acl"
  echo 'user default off sanitize-payload allkeys allchannels +@all' >>"$RUN/users.acl"
)

# accepted USER: prints the digests of the user's passwords as ACL rules.
accepted() { awk -v user="$1" '$1 == user { printf "%s#%s", sep, $2; sep = " " }' "$KNOWN"; }

# remember_secrets SET: saves the passwords with which this pod's server is about to start. RUN is a volume in memory.
remember_secrets() {
  rm -rf "$RUN/previous" "$RUN/used-password"
  mkdir -p "$RUN/current"
  for name in $(users "$1"); do secret "$name" >"$RUN/current/$name-password"; done
}

changed() { ! secret "$1" | cmp -s - "$RUN/current/$1-password"; }

# load_passwords SET COMMAND...: makes the server that COMMAND reaches accept new passwords of the Secret, and refuse
# those that were replaced too long ago. Open connections stay open.
load_passwords() {
  users_of=$1
  shift
  [ -d "$RUN/current" ] || return 0
  for name in $(users "$users_of"); do
    if changed "$name" && load_password "$name" "$@"; then expired_at=0; fi
  done
  [ "$(($(date +%s) - expired_at))" -lt 60 ] || expire_passwords "$@"
}

# load_password USER COMMAND...: keeps the old password beside the new one. run_cli logs in with the old one where the
# new one is refused. Creates the user if the server started without a password for it.
load_password() (
  umask 077
  changing=$1
  shift
  mkdir -p "$RUN/previous"
  secret "$changing" >"$RUN/new-password"
  new_digest="#$(sha256sum <"$RUN/new-password" | cut -d ' ' -f 1)"
  if [ -e "$RUN/current/$changing-password" ]; then
    [ "$("$@" ACL SETUSER "$changing" on "$new_digest")" = OK ] || return 1
    mv "$RUN/current/$changing-password" "$RUN/previous/"
    log "the password of the user $changing has changed: the previous one is accepted for another $PREVIOUS_VALID_S s"
  else
    set -f # rules are words with asterisks
    # shellcheck disable=SC2046
    [ "$("$@" ACL SETUSER "$changing" on "$new_digest" sanitize-payload $(rules_of "$users_of" "$changing"))" = OK ] || return 1
    log "the user $changing is new"
  fi
  mv "$RUN/new-password" "$RUN/current/$changing-password"
)

expire_passwords() {
  before=$(cat "$KNOWN")
  # shellcheck disable=SC2046 # names are words
  update_known $(users "$users_of")
  echo "$before" | while read -r name old _; do
    grep -q "^$name $old " "$KNOWN" || "$@" ACL SETUSER "$name" "!$old" >/dev/null
  done
  # a user whose key was removed is new if it comes back
  for file in "$RUN"/current/*-password; do
    [ -e "$AUTH/${file##*/}" ] || rm -f "$file"
  done
  expired_at=$(date +%s)
}

# refusing USER PORT HOST...: prints one host that refuses the user's password in the Secret, if there is any.
refusing() {
  login_of=$1 login_port=$2
  shift 2
  in_parallel refused_by "$@" | head -n 1
}

refused_by() {
  if is_refusal "$(call_cli "$login_of" "$(secret "$login_of")" "$1" "$login_port" PING)"; then echo "$1"; fi
}

# await_login USER PORT HOST...: waits until no host refuses the user's password in the Secret.
await_login() {
  while refuser=$(refusing "$@") && [ -n "$refuser" ]; do
    log "$refuser refuses the password of the user $1 in the Secret: waiting until it has read the Secret (see RUNBOOK)"
    sleep 2
  done
}
