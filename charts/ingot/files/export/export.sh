#!/bin/sh
# Exports each collection to $OUT/COLLECTION/TIME.ndjson. `ingot export` gives a file its name only when it is complete.
# The script removes old files of a collection only after it has written a new one, so the last complete file survives
# an outage of the service. It exits with 1 if any collection failed, after it has exported the others.
set -u

newest_first() { find "$1" -maxdepth 1 -type f -name '*.ndjson' | sort -r; }

export_one() {
  folder=$OUT/$1
  mkdir -p "$folder" || return 1
  # unfinished files of runs that were killed
  find "$folder" -maxdepth 1 -type f -name '*.part' -mmin +1440 -exec rm -f {} +
  # shellcheck disable=SC2086 # the command is several words
  $INGOT export --from "$SERVICE_URL" --collection "$1" --out "$folder/$time.ndjson" || return 1
  newest_first "$folder" | tail -n "+$((KEEP + 1))" | while read -r file; do rm -f "$file"; done
}

failed=0
time=$(date -u +%Y%m%dT%H%M%SZ)
for collection in $COLLECTIONS; do
  echo "exporting $collection"
  export_one "$collection" || { echo "export of $collection failed; its old files are kept" >&2 && failed=1; }
done
exit "$failed"
