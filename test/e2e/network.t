#!/usr/bin/env bash
# The network and check drivers without an engine: drive_network gives the orders. All of it in
# network and mount namespaces of its own, in which "the host" is one more namespace.
if [ -z "${LIMPET_IN_NAMESPACES:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
    exec env LIMPET_IN_NAMESPACES=1 unshare -n -m bash "$0"
fi
. "$(dirname "$0")/tap.sh"
drive=${DRIVE_NETWORK:-$(dirname "$LIMPET")/test/drive_network}
[ -x "$drive" ] || skip_all "no $drive: build it"
for tool in dnsmasq nft busybox python3 dig; do
    command -v $tool >/dev/null || skip_all "no $tool"
done
mount -t tmpfs none /run
ip link set lo up
mkdir -p "$root"
mark=$(printf %08x $((RANDOM * 65536 + $$ % 65536)))
infra_ns=/run/netns/limpet-$mark-demo
dns() { nsenter --net=$infra_ns dig +short +time=5 +tries=2 "@${2:-10.1.0.1}" "$1" | sort; }
start() {
    coproc DRIVE { exec "$drive" "$root" $mark; }
    drive_pid=$DRIVE_PID
    exec {to}>&"${DRIVE[1]}" {from}<&"${DRIVE[0]}"
}
heard=
hear() { # MS [WORD]: wait for the event; all that was told goes to $heard
    local line ms=$1
    [ $# -gt 1 ] && ms=$((10 * ms)) # for what must come there is time, however busy the machine is
    echo "wait $ms ${2:-}" >&$to
    heard=
    while read -r -t 120 -u $from line; do
        heard+=$line$'\n'
        case $line in timeout | waited | heard) return ;; esac
    done
}
say() { echo "$*" >&$to; }
node() { # NAME ADDRESS: a namespace with a link to br0, as the node driver makes it
    ip netns add "n-$1"
    ip link add "v$1" netns "limpet-$mark-demo" type veth peer name eth0 netns "n-$1"
    nsenter --net=$infra_ns sh -c "ip link set v$1 master br0 up"
    ip -n "n-$1" addr add "$2/24" dev eth0
    ip -n "n-$1" link set lo up
    ip -n "n-$1" link set eth0 up
    ip -n "n-$1" route add default via 10.1.0.1
}
in_node() { local name=$1; shift; nsenter --net="/run/netns/n-$name" "$@"; }
pids=()
web() { # NAME: an HTTP server in the node that answers with its name
    mkdir -p "$work/www-$1"
    echo "$1" >"$work/www-$1/index.html"
    nsenter --net="/run/netns/n-$1" busybox httpd -f -p 80 -h "$work/www-$1" &
    eval "web_$1=$!"
    pids+=($!)
    within 5 nsenter --net="/run/netns/n-$1" curl -s -m 5 -o "$work/page" http://127.0.0.1/
}
stop_all() {
    kill "${pids[@]}" "$drive_pid" 2>/dev/null
    for pid in $(pgrep -f "/run/limpet-$mark/"); do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap stop_all EXIT
end() { echo "1..$tests"; [ $failures = 0 ]; exit; }

start
hear 300
say "ensure 3 demo 10.1.0.0/24 10.2.0.0/24"
hear 3000 network-ready
like "$heard" '^event network-ready infra=3$' "the network is made"
is "$(nsenter --net=$infra_ns cat /proc/sys/net/ipv4/ip_forward)" 0 "its networks are not routed to each other"
like "$(nsenter --net=$infra_ns ip -o addr show br0)" '10\.1\.0\.1/24' "a bridge has the gateway's address"
like "$(nsenter --net=$infra_ns ip -o link show br1)" '02:4c:0a:02:00:01' "and a MAC made from it"
say "ensure 3 demo 10.1.0.0/24 10.2.0.0/24"
hear 3000 network-ready
like "$heard" 'network-ready infra=3$' "to begin it twice does no harm"

node a 10.1.0.2; node b 10.1.0.3; web a; web b
say "publish 3 demo 1 name=web-1@0:10.1.0.2 name=web@0:10.1.0.2 name=web@0:10.1.0.3 name=db@1:10.2.0.9 port=:8080>80@10.1.0.2,10.1.0.3"
hear 3000 published
like "$heard" '^event published infra=3 revision=1$' "names and ports are published"
is "$(dns web)" $'10.1.0.2\n10.1.0.3' "a service's name resolves to all its nodes"
is "$(dns web-1)" 10.1.0.2 "a node's name to one"
like "$(nsenter --net=$infra_ns dig +time=5 +tries=2 @10.1.0.1 nowhere.example)" 'status: NXDOMAIN' "what is not known does not exist, said at once"
like "$(in_node a dig +noall +answer +time=5 +tries=2 @10.1.0.1 db)" '0.IN.A.10\.2\.0\.9' "a node can ask; nobody may remember the answer"
is "$(for _ in 1 2 3 4; do curl -s -m 10 http://127.0.0.1:8080/; done | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 2 a; 2 b;" "a published port leads to the nodes in turn"

kill "$web_a"; wait "$web_a" 2>/dev/null
is "$(for _ in 1 2 3 4; do curl -s -m 10 http://127.0.0.1:8080/; done | tr '\n' ' ')" "b b b b " "a node that refuses is passed over, and no request is lost"
ip -n n-a link set eth0 down
begun=$(date +%s%N)
is "$(for _ in 1 2 3; do curl -s -m 20 http://127.0.0.1:8080/; done | tr '\n' ' ')" "b b b " "one that does not answer too"
echo "# which cost $((($(date +%s%N) - begun) / 1000000)) ms"
ip -n n-a link set eth0 up; ip -n n-a route add default via 10.1.0.1

# Bytes: 64 MiB through a echo server, with half-close: it answers when all has come.
cat >"$work/echo.py" <<'P'
import socket, hashlib, threading
s = socket.create_server(("10.1.0.2", 90))
def serve(c):
    h, n = hashlib.sha256(), 0
    while d := c.recv(1 << 16):
        h.update(d); n += len(d)
    c.sendall(h.digest() * 1000 + n.to_bytes(8, "big")); c.close()
def datagrams():
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("10.1.0.2", 91))
    while True:
        d, a = u.recvfrom(65536); u.sendto(b"echo " + d, a)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    c, _ = s.accept(); threading.Thread(target=serve, args=(c,), daemon=True).start()
P
cat >"$work/client.py" <<'P'
import socket, hashlib, os, threading, sys
def one(results, i):
    d = os.urandom(1 << 20); c = socket.create_connection(("127.0.0.1", 8090)); h = hashlib.sha256()
    for _ in range(16):
        c.sendall(d); h.update(d)
    c.shutdown(socket.SHUT_WR); got = b""
    while x := c.recv(1 << 16): got += x
    results[i] = got == h.digest() * 1000 + (16 << 20).to_bytes(8, "big")
results = [False] * 4
ts = [threading.Thread(target=one, args=(results, i)) for i in range(4)]
[t.start() for t in ts]; [t.join(100) for t in ts]
print("tcp", all(results))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(20); u.connect(("127.0.0.1", 8091))
for n in (1, 1400, 60000):
    u.send(b"x" * n); assert u.recv(65536) == b"echo " + b"x" * n
print("udp", True)
P
nsenter --net=/run/netns/n-a python3 "$work/echo.py" & pids+=($!)
web a
ports="port=:8080>80@10.1.0.2,10.1.0.3 port=127.0.0.1:8090>90@10.1.0.2 port=udp,:8091>91@10.1.0.2"
say "publish 3 demo 2 name=web@0:10.1.0.2 $ports"
hear 3000 published
sleep 0.3
is "$(timeout 200 python3 "$work/client.py" 2>&1 | tr '\n' ' ')" "tcp True udp True " "64 MiB arrive unchanged, ends of one way included; datagrams too"
forwarder=$(pgrep -f "forward /run/limpet-$mark/demo/forward.conf")
like "$(grep CapEff "/proc/$forwarder/status")" '0000000000200400$' "the forwarder keeps two capabilities (sys_admin, net_bind_service)"
is "$(ls "/proc/$forwarder/fd" | wc -l)" "$(ls "/proc/$forwarder/fd" | wc -l)" "handles: $(ls "/proc/$forwarder/fd" | wc -l), resident $(awk '/VmRSS/ {print $2}' "/proc/$forwarder/status") KiB"

# A busy port.
python3 -c 'import socket,time; s=socket.create_server(("127.0.0.1", 8099)); time.sleep(600)' & busy=$!
within 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8099'
say "publish 3 demo 3 name=late@0:10.1.0.3 $ports port=127.0.0.1:8099>80@10.1.0.3"
hear 3000 published
like "$heard" "published infra=3 revision=3 : port 8099 \(tcp on 127.0.0.1\) cannot be published: python3 \(pid $busy\) has it" "a busy port is named, and who has it"
is "$(dns late)" 10.1.0.3 "names are published all the same"
kill $busy; wait $busy 2>/dev/null
hear 3000 published
like "$heard" "all ports are published now" "it is taken when it is free"
is "$(curl -s -m 10 http://127.0.0.1:8099/)" b "and leads to the node"

# Helpers that die, a daemon that dies.
dnsmasq=$(pgrep -f "conf-file=/run/limpet-$mark/demo/dnsmasq.conf")
kill -9 "$dnsmasq"
hear 3000 network-ready
like "$heard" 'dnsmasq was killed by signal 9 .* is started again' "dnsmasq is started again, and it is told"
late_is() { [ "$(dns late)" = "$1" ]; }
within 3 late_is 10.1.0.3; ok $? "with the names it had"
kill -9 "$forwarder"
hear 3000 network-ready
like "$heard" 'the forwarder of published ports was killed by signal 9' "so is the forwarder"
within 3 answers http://127.0.0.1:8099/ b; ok $? "with the ports it had"
dnsmasq=$(pgrep -f "conf-file=/run/limpet-$mark/demo/dnsmasq.conf")
forwarder=$(pgrep -f "forward /run/limpet-$mark/demo/forward.conf")
kill -9 "$drive_pid"; wait "$drive_pid" 2>/dev/null
is "$(curl -s -m 10 http://127.0.0.1:8099/)" b "without a daemon all goes on"
start
hear 3000 network-ready
like "$heard" 'network-ready infra=3' "the next daemon finds the network"
is "$(pgrep -f "conf-file=/run/limpet-$mark/demo/dnsmasq.conf") $(pgrep -f "forward /run/limpet-$mark/demo/forward.conf")" "$dnsmasq $forwarder" "with the helpers that run, no others"
kill -9 "$dnsmasq"
hear 3000 network-ready
like "$heard" 'dnsmasq ended and is started again' "one that was adopted is watched too"
say "publish 3 demo 4 name=late@0:10.1.0.2 port=127.0.0.1:8099>80@10.1.0.2"
hear 3000 published
like "$heard" 'published infra=3 revision=4$' "and publishes anew"
is "$(dns late) $(curl -s -m 10 http://127.0.0.1:8099/)" "10.1.0.2 a" "names and ports have changed"
curl -s -m 10 http://127.0.0.1:8080/ >/dev/null; is $? 7 "a port that is no longer published is closed"

# Sensors.
say "watch 3 demo 1 0 1 10.1.0.2 300 5000 http http://localhost/"
hear 2000 reading
like "$heard" 'node=1 app=0 run=1 ok : HTTP 200 from http://10.1.0.2:80/ in [0-9]+ ms' "an HTTP check"
hear 700
is "$heard" $'waited\n' "says nothing while all stays well"
kill "$web_a"; wait "$web_a" 2>/dev/null
hear 2000 reading
like "$heard" 'failed : connection refused by http://10.1.0.2:80/' "a refused connection is seen"
hear 2000 reading
like "$heard" 'failed' "every failure is told"
say "watch 3 demo 1 0 2 10.1.0.2 300 200 http http://localhost:91/"
hear 400
unlike() { ! grep -qE -- "$2" <<<"$1"; ok $? "$3"; }
unlike "$heard" 'run=1' "another run has another watch"
web a
say "watch 3 demo 1 0 3 10.1.0.2 300 5000 http http://n-1/missing"
hear 2000 reading
like "$heard" 'run=3 failed : HTTP 404 from http://10.1.0.2:80/missing' "404 is not well"
say "unwatch 3 demo 1 0"
say "watch 3 demo 2 0 1 10.1.0.2 300 5000 tcp 90"
hear 2000 reading
like "$heard" 'node=2 .* ok : 10.1.0.2:90 accepts connections' "a TCP check"
say "unwatch 3 demo 2 0"
say "watch 3 demo 3 0 1 10.1.0.2 300 2000 ping"
hear 2000 reading
like "$heard" 'node=3 .* ok : ping answered by 10.1.0.2' "a ping"
ip -n n-a link set eth0 down
hear 2000 reading
like "$heard" 'failed : (no answer from 10.1.0.2 within 2000 ms|10.1.0.2: No route to host)' "and its absence"
say "unwatch 3 demo 3 0"
ip -n n-a link set eth0 up; ip -n n-a route add default via 10.1.0.1
nsenter --net=/run/netns/n-b python3 -c 'import socket,time; s=socket.create_server(("10.1.0.3", 81)); time.sleep(600)' & pids+=($!)
listens() { nsenter --net=/run/netns/n-b grep -q ":0051 00000000:0000 0A" /proc/net/tcp; }
within 3 listens
say "watch 3 demo 4 0 1 10.1.0.3 300 200 http http://localhost:81/"
hear 2000 reading
like "$heard" 'failed : no answer from http://10.1.0.3:81/ within 200 ms' "a server that hangs is a fault"
say "unwatch 3 demo 4 0"
hear 300

# The way out: "outside" is one more namespace behind the host.
ip netns add outside
ip link add out0 type veth peer name eth0 netns outside
ip addr add 192.0.2.1/24 dev out0; ip link set out0 up
ip -n outside addr add 192.0.2.9/24 dev eth0; ip -n outside link set eth0 up; ip -n outside link set lo up
mkdir "$work/www-out"; echo outside >"$work/www-out/index.html"
nsenter --net=/run/netns/outside busybox httpd -f -p 80 -h "$work/www-out" & pids+=($!)
in_node b curl -s -m 1 http://192.0.2.9/ >/dev/null; [ $? != 0 ]; ok $? "nodes do not reach the outside by themselves"
rules=$(nft list ruleset)
say "ensure 3 demo 10.1.0.0/24,nat 10.2.0.0/24"
hear 4000 network-ready
like "$heard" 'network-ready' "a network with nat"
is "$(cat /proc/sys/net/ipv4/ip_forward)" 1 "the host forwards"
is "$(in_node b curl -s -m 10 http://192.0.2.9/)" outside "its nodes reach the outside"
ip netns add n-c; ip link add vc netns limpet-$mark-demo type veth peer name eth0 netns n-c
nsenter --net=$infra_ns ip link set vc master br1 up
ip -n n-c addr add 10.2.0.5/24 dev eth0; ip -n n-c link set eth0 up; ip -n n-c route add default via 10.2.0.1
in_node c curl -s -m 1 http://192.0.2.9/ >/dev/null; [ $? != 0 ]; ok $? "those of another network do not"
in_node c curl -s -m 1 http://10.1.0.3/ >/dev/null; [ $? != 0 ]; ok $? "nor do they reach the network that may"
is "$(in_node b curl -s -m 10 http://10.1.0.2/)" a "neighbours still answer"
like "$(nft list tables)" "limpet_${mark}_demo" "the rules bear the mark"
say "ensure 3 demo 10.1.0.0/24 10.2.0.0/24"
hear 4000 network-ready
is "$(cat /proc/sys/net/ipv4/ip_forward)$(nft list ruleset)" "0$rules" "without nat, host and rules are as before"
say "ensure 3 demo 10.1.0.0/24,nat"
hear 4000 network-ready
nsenter --net=$infra_ns ip link show br1 >/dev/null 2>&1; [ $? != 0 ]; ok $? "a network that is gone loses its bridge"
ip link del out0

# Removal, also of what was interrupted, and by a daemon that never knew of it.
kill -9 "$drive_pid"; wait "$drive_pid" 2>/dev/null
start
hear 300
ip netns del n-a; ip netns del n-b; ip netns del n-c; ip netns del outside
say "remove 3 demo"
hear 4000 network-gone
like "$heard" 'network-gone infra=3' "the network is removed"
is "$(ls /run /run/netns | tr '\n' ' ')" "/run: netns  /run/netns: " "no file and no namespace is left"
is "$(cat /proc/sys/net/ipv4/ip_forward)$(nft list ruleset)$(ip -o link | wc -l)" "0${rules}1" "no rule, link or setting"
is "$(pgrep -f "/run/limpet-$mark/")" "" "no process"
say "remove 3 demo"
hear 4000 network-gone
like "$heard" 'network-gone infra=3' "to remove it twice does no harm"
mkdir -p /run/limpet-$mark/half; printf 'limpet-network 1\ninfra 5 half\nuplink 0\nbegun\n' >/run/limpet-$mark/half/mark
kill -9 "$drive_pid"; wait "$drive_pid" 2>/dev/null
start
hear 300
is "$(grep -c network-ready <<<"$heard")" 0 "what was interrupted is not ready"
say "ensure 5 half 10.9.0.0/16"
hear 3000 network-ready
like "$heard" 'network-ready infra=5' "and can be made whole"
say "remove 5 half"
hear 3000 network-gone
is "$(ls /run)" netns "or removed"
end
