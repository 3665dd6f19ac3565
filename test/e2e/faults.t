#!/usr/bin/env bash
# Faults on purpose: each one's effect is seen from outside, and so is its end.
. "$(dirname "$0")/tap.sh"
before=$(machine)
cat >"$work/faults.yaml" <<'Y'
name: faults
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /www]
    configs: [{source: page, target: /www/index.html}]
    deploy: {replicas: 2, resources: {limits: {memory: 96M, pids: 60}}}
    volumes: ["data:/data"]
  sink:
    image: host
    command: [python3, -u, -c, "import socket,subprocess\nsubprocess.Popen(['env','-i','setsid','sleep','999'])\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.bind(('',9))\nwhile True: print(s.recv(99).decode())"]
  kept:
    image: host
    command: [sleep, "1000"]
    breakable: false
    networks: [aside]
configs:
  page: {content: "hello\n"}
volumes: {data: {}}
networks: {aside: {}}
Y
lp up "$work/faults.yaml" --wait=60 >/dev/null; is $? 0 "four nodes are up"
web=$(field web-1 address) sink=$(field sink-1 address)
npid() { cat "$root/nodes/faults/$1/pid"; }                  # of limpet-init
apid() { pgrep -P "$(npid "$1")" | head -n 1; }              # of its application
state() { sed -E 's/.*\) (.).*/\1/' "/proc/$1/stat" 2>/dev/null; }
life() { field "$1" incarnation; }
fetch() { nsenter --net="/proc/$(npid "$1")/ns/net" curl -sf -m 2 -o /dev/null "http://$web/"; }
faults() { lp faults -o json | jq -r '[.[].kind] | join(" ")'; }
healed() { [ -z "$(faults)" ]; }
hog() { pgrep -f "hog f[0-9]+@[0-9a-f]+ $1 " | while read -r p; do grep -q "/limpet-$(cat "$root/id")/" "/proc/$p/cgroup" && echo "$p"; done | head -n 1; }

# Of an application.
old=$(apid web-1)
lp break web-1 kill >/dev/null; is $? 0 "kill"
! kill -0 "$old" 2>/dev/null || [ "$(state "$old")" = Z ]; ok $? "its process is gone when the verb returns"
within 5 fetch sink-1; ok $? "and healed"
out=$(lp break web-1/httpd kill 2>&1); is $? 1 "an application that there is not"
like "$out" "no application 'httpd'" "is named"
lp break sink-1 hang --for 1m >/dev/null
is "$(state "$(pgrep -P "$(apid sink-1)")")" T "hang: also of a child without environment, in a session of its own"
lp heal sink-1 >/dev/null; is "$(state "$(pgrep -P "$(apid sink-1)")")" S "which goes on"
old=$(apid web-1)
lp break web-1 hang --for 1m >/dev/null
is "$(state "$old")" T "hang: its process is stopped"
is "$(faults)" hang "and listed"
lp heal web-1 >/dev/null; is $? 0 "heal by target"
is "$(state "$old") $(faults)" "S " "it goes on, and is not listed"
lp break web-1/web terminate >/dev/null; is $? 0 "terminate"
within 5 fetch sink-1; ok $? "and healed"
[ "$(apid web-1)" != "$old" ]; ok $? "by another process"

# Of a node.
lp break web-1 pause --for 1m >/dev/null
! fetch sink-1; ok $? "pause: it does not answer"
lp heal --all >/dev/null
within 5 fetch sink-1; ok $? "thawed, it answers"
for _ in 1 2 3 4 5; do
    was=$(life web-1)
    lp break web-1 pause --for 1m >/dev/null; lp break web-1 pause --for 2m >/dev/null
    lp heal "$(lp faults -o json | jq -r '.[0].fault')" >/dev/null
    ! fetch sink-1; status=$?
    # Seconds later the node counts as hung and is replaced: on a slow machine once more.
    [ "$(life web-1)" = "$was" ] && break
    lp heal --all >/dev/null; within 5 fetch sink-1
done
ok $status "of two pauses one is healed: it stays frozen"
lp heal web-1 >/dev/null; within 5 fetch sink-1; ok $? "and goes on when the other is"
was=$(life web-1)
lp break web-1 crash --for 6s >/dev/null
sleep 1
is "$(field web-1 state)" absent "crash with a time: the node stays off"
within 10 fetch sink-1; ok $? "and comes back by itself"
[ "$(life web-1)" -gt "$was" ]; ok $? "in a new life"
was=$(life web-1)
lp break web-1 reboot >/dev/null
within 10 fetch sink-1; [ "$(life web-1)" -gt "$was" ]; ok $? "reboot: a new life"

# What is taken away.
lp break web-1 cpu --for 1m --workers 1 >/dev/null
h=$(hog cpu); [ -n "$h" ]; ok $? "cpu: a worker in the node's cgroup"
lp heal --all >/dev/null; [ -z "$(hog cpu)" ]; ok $? "gone"
lp break web-1 memory --leave 16m --for 1m >/dev/null
[ "$(awk '/VmRSS/ { print $2 }' "/proc/$(hog memory)/status")" -gt 50000 ]; ok $? "memory is filled"
lp heal --all >/dev/null; [ -z "$(hog memory)" ]; ok $? "and given back"
lp break web-1 processes --for 1m >/dev/null
! lp exec web-1 true 2>/dev/null; ok $? "processes: there is no room for another"
lp heal --all >/dev/null; within 5 lp exec web-1 true; ok $? "there is again"
lp break web-1 disk-load --volume data --for 1m >/dev/null
h=$(hog disk-load) a=$(awk '/^write_bytes/ { print $2 }' "/proc/$h/io")
writes() { [ "$(awk '/^write_bytes/ { print $2 }' "/proc/$h/io")" -gt "$a" ]; }
within 3 writes; ok $? "disk-load: something writes"
lp heal --all >/dev/null
scored() { pgrep -P "$(npid web-1)" -x sleep | while read -r p; do cat "/proc/$p/oom_score_adj"; done | sort | xargs; }
for score in 200 300; do
    lp exec web-1 sh -c "echo $score >/proc/self/oom_score_adj; exec sleep 1000" >/dev/null 2>&1 &
done
within 5 eval '[ "$(scored)" = "200 300" ]'; ok $? "two more processes are in the node"
lp break web-1 oom >/dev/null; is $? 0 "oom: the kernel has killed"
like "$(scored)" '^(200)? ?(300)?$' "what it has spared is as easily killed as before"
pkill -P "$(npid web-1)" -x sleep
within 10 fetch sink-1; ok $? "and it is healed"
like "$(lp why web-1)" "lack of memory" "the story tells why"

# Of its network.
within 3 fetch sink-1; ok $? "the peer reaches it"
lp break web-1 cut --peer sink --for 1m >/dev/null
! fetch sink-1; ok $? "cut from one peer"
within 3 fetch web-2; ok $? "and from that one only"
lp heal --all >/dev/null; within 3 fetch sink-1; ok $? "and healed"
lp break network:aside cut >/dev/null 2>&1; is $? 1 "a network with a node that is not to be broken"
out=$(lp break network:default cut --for 1m)
! fetch web-2; ok $? "a whole network is cut"
said=$(nsenter --net="/proc/$(npid web-2)/ns/net" bash -c "echo a >/dev/udp/$web/9; echo b >/dev/udp/$web/9" 2>&1)
[ -z "$said" ] || [[ $out == *EPERM* ]]; ok $? "who sends is not told, or the fault says so"
lp heal --all >/dev/null; within 3 fetch web-2; ok $? "and healed"
lp break web-1 delay --delay 30ms --for 1m >/dev/null
connect_ms() { in_infra faults curl -s -o /dev/null -w '%{time_connect}' "http://$web/" | awk '{ print int($1 * 1000) }'; }
ms=$(connect_ms)
[ "$ms" -ge 60 ] && [ "$ms" -le 5000 ]; ok $? "delay: 30 ms each way (a connection takes $ms ms)"
out=$(lp break web-1 duplicate --for 1m 2>&1); is $? 1 "one relay a link"
lp heal --all >/dev/null
is_quick() { [ "$(connect_ms)" -lt 30 ]; }
within 5 is_quick; ok $? "and healed"
send() { in_infra faults python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range($2):
    s.sendto(b'$1 %d' % i, ('$sink', 9)); time.sleep(0.002)"; }
got() { lp logs sink-1 -n 1000 2>/dev/null | grep -oE "$1 [0-9]+$" | cut -d' ' -f2; }
lp break sink-1 duplicate --share 100% --for 1m >/dev/null; send twice 20
within 5 eval '[ "$(got twice | wc -l)" = 40 ]'; ok $? "duplicate: each datagram arrives twice"
lp heal --all >/dev/null
lp break sink-1 loss --share 50% --direction in --for 1m >/dev/null; send lost 200
within 3 eval '[ "$(got lost | wc -l)" -gt 50 ]'; sleep 0.3
n=$(got lost | wc -l); [ "$n" -gt 50 ] && [ "$n" -lt 150 ]; ok $? "loss of a half: $n of 200 arrive"
lp heal --all >/dev/null
lp break sink-1 corrupt --share 100% --direction in --for 1m >/dev/null; send bad 30; sleep 0.3
n=$(got bad | wc -l); [ "$n" -lt 10 ]; ok $? "corrupt: the receiver refuses nearly all ($n of 30 arrive)"
lp heal --all >/dev/null
lp break sink-1 reorder --share 30% --delay 20ms --direction in --for 1m --seed 7 >/dev/null; send mixed 60
within 3 eval '[ "$(got mixed | wc -l)" = 60 ]' && [ "$(got mixed)" != "$(got mixed | sort -n)" ]; ok $? "reorder: all arrive, in another order"
lp heal --all >/dev/null
head -c 1500000 /dev/zero >"$work/zero"
lp break sink-1 bandwidth --rate 400kbit --direction in --for 1m >/dev/null
in_infra faults timeout 20 python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(1500):
    s.sendto(b'w' * 1000, ('$sink', 9)); time.sleep(0.0005)"
sleep 0.3; n=$(lp logs sink-1 -n 3000 2>/dev/null | grep -c 'w\{90\}'); [ "$n" -lt 1400 ]; ok $? "bandwidth: beyond the rate nothing passes ($n of 1500)"
lp heal --all >/dev/null
names() { lp exec web-2 timeout 10 getent hosts sink >/dev/null 2>&1; }
within 3 names; ok $? "names resolve"
lp break web-2 dns --for 1m >/dev/null; ! names; ok $? "dns: they do not"
lp heal --all >/dev/null; within 3 names; ok $? "they do again"

# Whose faults, and for how long.
out=$(lp break kept-1 kill 2>&1); is $? 1 "breakable: false"
like "$out" "not to be broken" "is respected"
lp break web cut --select all --for 1m >/dev/null; is "$(faults)" "cut cut" "all nodes of a service"
lp faults --lock >/dev/null; within 5 healed; ok $? "the lever undoes all faults"
lp break web-1 cut >/dev/null 2>&1; is $? 1 "and bars new ones"
lp faults --unlock >/dev/null
lp break web-1 cut --for 4s >/dev/null; is "$(faults)" cut "a fault for some seconds"
within 4 healed && within 3 fetch sink-1; ok $? "ends by itself"
out=$(lp break network:default kill 2>&1); is $? 2 "a fault of an application, aimed at a network"
out+=$(lp break network:default cut --select 1 2>&1); like "$out" "not of a network.*nothing to select" "is refused"
out=$(lp break host cpu 2>&1); is $? 1 "load on the machine, where something is unbreakable"
lp break web-1 cut --peer sink --for 1m >/dev/null; lp break network:default loss --for 1m >/dev/null
like "$(lp faults | paste -sd " ")" "cut, peer sink.*loss 10.0 %, network default" "a listing names peers and networks"
lp heal network:default >/dev/null; is "$(faults)" cut "heal takes a network"
lp heal host >/dev/null; ok $? "and the host"; healed; ok $? "with all nodes on it"
lp break web-1 crash --for 1m >/dev/null
for patience in 1 4 16; do # a busy machine may need longer until it waits
    out=$(timeout -s INT $patience "$LIMPET" --root "$root" break web-1 cut 2>&1)
    [[ $out == *interrupted* ]] && break
done
like "$out" "interrupted; f[0-9]+ may still come" "Ctrl-C while it waits: what was asked for is told"
lp heal --all >/dev/null; within 5 fetch sink-1; ok $? "and taken back"
out=$(lp break web-1 dealy --delay 1s 2>&1); is $? 2 "a fault that there is not"
like "$out" "did you mean 'delay'" "and the right spelling"

# Of Limpet itself.
daemon() { pgrep -f "limpet --root $root daemon|limpet daemon --root $root" | head -n 1; }
lp break web-1 cut --for 1m >/dev/null
lp break limpet daemon-kill >/dev/null 2>&1
within 5 eval '! lp ps >/dev/null 2>&1'; ok $? "daemon-kill: nobody answers"
! fetch sink-1; ok $? "the fault stays in force without the daemon"
lp heal --all >/dev/null; is $? 0 "heal starts a daemon and undoes it"
within 3 fetch sink-1; ok $? "the fault is gone"
[ ! -e "$root/faults" ]; ok $? "and so is its note"
lp break web-1 cut --for 2s >/dev/null
pkill -9 -f "$root.*daemon|daemon.*$root"; within 5 eval '! lp ps >/dev/null 2>&1'
lp daemon --background >/dev/null; is $? 0 "a daemon starts where one was killed"
within 6 fetch sink-1; ok $? "a daemon after kill -9 ends the fault at its time"
lp break limpet daemon-stall --for 5s >/dev/null; sleep 0.3
! timeout 1 "$LIMPET" --root "$root" ps >/dev/null 2>&1; ok $? "daemon-stall: it does not answer"
within 5 lp ps; ok $? "it goes on"
lp break web-1 cut --for 5m >/dev/null; lp break web-2 delay --delay 1ms --for 5m >/dev/null
finish
