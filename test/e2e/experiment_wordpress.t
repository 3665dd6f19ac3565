#!/usr/bin/env bash
# nightly only: builds Debian images (a minute or a few).
# The experiments on WordPress: three of S0's four; the fourth is storage-replicas.yaml.
. "$(dirname "$0")/tap.sh"
command -v mmdebstrap >/dev/null || skip_all 'mmdebstrap is missing'
command -v haproxy >/dev/null || skip_all 'haproxy is missing'
before=$(machine)
experiments=$here/../../experiments
export WORDPRESS_PORT JAR=$work/jar
WORDPRESS_PORT=$(free_port)
for name in front-crash sessions-lost workers; do
    timeout 1500 "$LIMPET" --root "$root" experiment run "$experiments/$name.yaml" --out "$work/$name" >"$work/$name.out" 2>&1
    is $? 0 "$name passes"
    sed 's/^/# /' "$work/$name.out"
done
like "$(jq -r '[.runs[0].stages[].checks[] | select(.expect == "fail" and .check == "ping")][0].text' "$work/front-crash/result.json")" \
    'does not answer' "the front node was gone"
is "$(jq -r '.runs[0].load.outcome | .failed > 0 and .to_first_good_us > 0' "$work/front-crash/result.json")" true "requests failed until it was back"
is "$(jq -r '[.runs[0].stages[] | select(.name == "flush") | .checks[].expect] | sort | join(" ")' "$work/sessions-lost/result.json")" \
    "fail pass" "whoever was logged in is logged out, and the site goes on"
is "$(jq -r '[.runs[0].faults[] | .kind + " " + .status] | sort | join(", ")' "$work/workers/result.json")" \
    "crash healed, crash healed, cut healed, cut healed" "both workers were cut off, then down"
finish
