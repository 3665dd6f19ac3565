#!/usr/bin/env bash
# nightly only: builds Debian images (a minute or a few).
# The experiments on WordPress, and the repair policies of S1 at their full length.
. "$(dirname "$0")/tap.sh"
command -v mmdebstrap >/dev/null || skip_all 'mmdebstrap is missing'
command -v haproxy >/dev/null || skip_all 'haproxy is missing'
before=$(machine)
experiments=$here/../../experiments
export WORDPRESS_PORT PORT JAR=$work/jar
WORDPRESS_PORT=$(free_port) PORT=$(free_port)
for name in front-crash sessions-lost workers s1-policies; do
    timeout 1500 "$LIMPET" --root "$root" experiment run "$experiments/$name.yaml" --out "$work/$name" >"$work/$name.out" 2>&1
    is $? 0 "$name passes"
    sed 's/^/# /' "$work/$name.out"
done
figures() { # VARIANT KEY: of s1-policies
    jq -r --argjson v "$1" --arg k "$2" '.runs[] | select(.variant == $v) | .load.outcome | getpath($k / ".")' "$work/s1-policies/result.json"
}
is "$(jq -r '[.runs[].status] | join(" ")' "$work/s1-policies/result.json")" "passed passed skipped passed" \
    "of the policies of S1, all but the checkpoint of a VM were run"
ok "$([ "$(figures 0 failed)" -gt "$(figures 1 failed)" ]; echo $?)" "no repair fails more requests than a restart in place"
is "$(figures 1 writes.acknowledged_then_lost)" 0 "a restart in place loses no acknowledged write"
ok "$([ "$(figures 3 writes.acknowledged_then_lost)" -gt 0 ]; echo $?)" "a new node loses what its backup has not"
finish
