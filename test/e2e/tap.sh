# Shared by the end-to-end tests: TAP, a Limpet of its own for each test, clean-up, comparison of
# the machine before and after. Sourced by bash scripts; needs root and $LIMPET (default: build/).
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LIMPET=${LIMPET:-$here/../../build/limpet}
tests=0 failures=0
work=$(mktemp -d /tmp/limpet-e2e-XXXXXX)
root=$work/root
export NO_COLOR=1 LC_ALL=C.UTF-8 HOME=${HOME:-/root}
umask 022

ok() { # STATUS WORDS...: one TAP line
    local status=$1
    shift
    tests=$((tests + 1))
    if [ "$status" = 0 ]; then
        echo "ok $tests - $*"
    else
        failures=$((failures + 1))
        echo "not ok $tests - $*"
        diagnose
    fi
}
is() { # GOT WANTED WORDS...
    local got=$1 wanted=$2
    shift 2
    [ "$got" = "$wanted" ]
    local status=$?
    ok $status "$@"
    [ $status = 0 ] || printf '# got:    %s\n# wanted: %s\n' "${got//$'\n'/ | }" "${wanted//$'\n'/ | }"
}
like() { # TEXT REGEX WORDS...
    local text=$1 regex=$2
    shift 2
    grep -qE -- "$regex" <<<"$text"
    local status=$?
    ok $status "$@"
    [ $status = 0 ] || printf '# no match of /%s/ in:\n%s\n' "$regex" "$(sed 's/^/#   /' <<<"$text" | head -n 20)"
}
diagnose() {
    [ -S "$root/limpet.sock" ] || return 0
    lp ps 2>&1 | sed 's/^/#   /'
    lp events -n 15 2>&1 | sed 's/^/#   /'
}
skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}
lp() { "$LIMPET" --root "$root" "$@"; }

# within SECONDS COMMAND...: try until it succeeds. SECONDS are those of an idle machine: one that is
# busy with other things may take six times as long.
within() {
    local end=$((SECONDS + 6 * $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}
answers() { [ "$(curl -s -m 10 "$1")" = "$2" ]; }
field() { # NODE KEY: from ps
    lp ps -o json | jq -r --arg n "$1" --arg k "$2" '.[] | select(.node == $n) | .[$k]'
}
is_healthy() { [ "$(field "$1" health)" = healthy ]; }
all_healthy() { # COUNT: that many nodes, all of them healthy
    [ "$(lp ps -o json | jq '[.[] | select(.health == "healthy" or .health == "completed")] | length')" = "$1" ]
}
infra_pid() { cat "$root/run/$1/dnsmasq.pid"; }
in_infra() { # INFRA COMMAND...: in the infrastructure's network namespace
    local infra=$1
    shift
    nsenter --net="/run/netns/limpet-$(cat "$root/id")-$infra" "$@"
}

# What Limpet could leave behind, as text. Only what bears this root's mark or path is of interest,
# except for links, rules and namespaces, which are compared whole.
machine_whole() {
    echo "== mounts";     awk '{ print $5 }' /proc/self/mountinfo | sort
    echo "== netns";      ls /run/netns 2>/dev/null | sort
    echo "== links";      ip -o link | sed -E 's/^[0-9]+: //; s/@.*//' | cut -d' ' -f1 | sort
    echo "== nft";        nft list ruleset 2>/dev/null
    echo "== cgroups";    find /sys/fs/cgroup -type d -path '*limpet*' 2>/dev/null | sort
    echo "== processes";  pgrep -af "$root|/run/limpet-" | grep -v pgrep | sort
    echo "== run";        ls -d /run/limpet-* 2>/dev/null | sort
    echo "== crun";       ls /run/crun /run/runc 2>/dev/null
    echo "== devices";    stat -c '%n %u %g %a' /dev/null /dev/zero /dev/fuse
    echo "== forward";    cat /proc/sys/net/ipv4/ip_forward
}
# The same without what bears the mark of another Limpet or test, which may come and go meanwhile.
machine() {
    local id
    id=$(cat "$root/id" 2>/dev/null || echo none)
    machine_whole | grep -vP "limpet[-_](?!$id)[0-9a-f]{8}\b|limpet-e2e-(?!${work##*-})"
}
is_as_before() { [ "$(machine)" = "$before" ]; }
# The end of each test: everything down, the daemon gone, the machine as before.
finish() {
    local name
    for name in $(lp status -o json 2>/dev/null | jq -r '.[].infrastructure' 2>/dev/null); do
        lp down "$name" --volumes >/dev/null 2>&1
    done
    lp shutdown >/dev/null 2>&1
    within 5 test ! -S "$root/limpet.sock"
    if [ -n "${before:-}" ]; then
        within 1 is_as_before # the kernel takes a moment to remove what was given up
        is "$(diff <(echo "$before") <(machine))" "" "nothing is left on the machine"
        is "$(ls -A "$root/nodes" "$root/run" "$root/volumes" 2>/dev/null | grep -v ':$' | grep -v '^$')" "" \
            "no folder of a node, a network or a volume is left"
    fi
    echo "1..$tests"
    exit $((failures > 0))
}
# Whatever happens, take away what bears this test's mark.
sweep() {
    local id pid name
    id=$(cat "$root/id" 2>/dev/null)
    for pid in $(pgrep -f "$root"); do kill -9 "$pid" 2>/dev/null; done
    if [ -n "$id" ]; then
        for pid in $(pgrep -f "/run/limpet-$id/"); do kill -9 "$pid" 2>/dev/null; done
        rm -rf "/run/limpet-$id"
        for pid in $(find /sys/fs/cgroup -path "*limpet-$id*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u); do
            kill -9 "$pid" 2>/dev/null
        done
        sleep 0.1
        find /sys/fs/cgroup -depth -type d -path "*limpet-$id*" -exec rmdir {} + 2>/dev/null
        for name in /run/netns/limpet-"$id"-*; do [ -e "$name" ] && { umount "$name"; rm -f "$name"; }; done
        nft list tables 2>/dev/null | grep "limpet_$id" | while read -r _ family table; do nft delete table "$family" "$table"; done
    fi
    grep -o " $work[^ ]*" /proc/self/mountinfo | sort -r | while read -r name; do umount -l "$name" 2>/dev/null; done
    rm -rf "$work"
}
trap sweep EXIT
trap 'exit 1' INT TERM

[ "$(id -u)" = 0 ] || skip_all 'needs root'
[ -x "$LIMPET" ] || { echo "Bail out! $LIMPET is not there: make build"; exit 1; }
command -v crun >/dev/null || skip_all 'crun is missing'

# A port of this machine that nobody listens on.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
one_web() { # PORT: the descriptor of an infrastructure "one", a web server published there
    cat <<Y
name: one
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    configs: [{source: page, target: /www/index.html}]
    ports: ["127.0.0.1:$1:80"]
    healthcheck: {test: [HTTP, "http://localhost/"], interval: 2s, timeout: 1s, retries: 5}
configs:
  page: {content: "page\n"}
Y
}
