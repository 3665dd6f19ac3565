#!/usr/bin/env bash
# nightly only: builds Debian images (a minute or a few).
# `make demo` as a newcomer sees it: the site comes up, heals twice, and a second run is quick.
. "$(dirname "$0")/tap.sh"
command -v mmdebstrap >/dev/null || skip_all 'mmdebstrap is missing'
[ -x "$here/../../tools/demo" ] || skip_all 'tools/demo is not there'
before=$(machine)
mkdir -m 700 "$root"
export LIMPET LIMPET_ROOT=$root WORDPRESS_PORT
LIMPET=$(realpath "$LIMPET") WORDPRESS_PORT=$(free_port)
page=http://127.0.0.1:$WORDPRESS_PORT
demo() { timeout 1500 "$here/../../tools/demo" >"$work/demo.out" 2>&1; }

demo
is $? 0 "the demo ends well"
sed 's/^/# /' "$work/demo.out"
out=$(cat "$work/demo.out")
like "$out" 'shows "Limpet holds on"' "the front page is there"
like "$out" 'db in db-1 was killed by signal 9' "the database was killed"
like "$out" 'web-1 is up \(life [2-9]' "a web node was killed and lives again"
is "$(grep -c 's lost' <<<"$out")" 2 "the seconds lost are told, twice"
is "$(grep -c $'\e' <<<"$out")" 0 "no colours in a pipe"
all_healthy 5; ok $? "all nodes are well"
is "$(ls "$root"/cache/images/*.json | wc -l)" 3 "three images serve five nodes"

# The uploads are shared, and the sessions too: what one web node stores, the other serves.
lp exec web-1 sh -c 'echo shared > /var/lib/wordpress/wp-content/uploads/note.txt'
for _ in 1 2 3 4; do curl -s -m 2 "$page/wp-content/uploads/note.txt"; done | sort | uniq -c | grep -q '4 shared'
ok $? "uploads are shared by the web nodes"
like "$(curl -s -m 5 -c "$work/jar" -b wordpress_test_cookie=WP%20Cookie%20check -d log=admin -d pwd=limpet-example \
    -d wp-submit=Log+In -d testcookie=1 -D - -o /dev/null "$page/wp-login.php")" '^[Ss]et-[Cc]ookie: wordpress_logged_in' "the administrator can log in"
seen=$(for _ in 1 2 3 4; do curl -s -m 5 -b "$work/jar" -o /dev/null -w '%{http_code} ' "$page/wp-admin/profile.php"; done)
is "$seen" "200 200 200 200 " "a session holds on both web nodes"

# Scale, and the balancer knows.
lp scale web=3 >/dev/null
within 30 all_healthy 6; ok $? "a third web node"
like "$(lp exec lb-1 cat /etc/haproxy/haproxy.cfg)" 'server web-3 ' "the load balancer is told of it"
lp scale web=2 >/dev/null
within 30 all_healthy 5; ok $? "and is gone again"

start=$SECONDS
demo
is $? 0 "the demo runs a second time"
[ $((SECONDS - start)) -lt 30 ]; ok $? "and quickly"
lp down wordpress >/dev/null
lp up "$here/../../examples/wordpress.yaml" --wait=60 >/dev/null
is $? 0 "down and up again, upon the old volumes"
within 10 sh -c "curl -s -m 2 $page/ | grep -q 'Limpet holds on'"; ok $? "the site is still there"
finish
