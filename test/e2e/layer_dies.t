#!/usr/bin/env bash
# The process of a layer is killed: nobody waits for ever, and a node whose volume is dead is repaired.
. "$(dirname "$0")/tap.sh"
[ -c /dev/fuse ] || skip_all 'this machine has no FUSE'
before=$(machine)
cat >"$work/dies.yaml" <<'Y'
name: dies
services:
  db:
    image: host
    command: [sleep, "1000"]
    volumes: ["data:/data"]
  own:
    image: host
    command: [sleep, "1000"]
    volumes: ["held:/held:faults"]
volumes: {data: {}, held: {}}
Y
lp up "$work/dies.yaml" --wait=60 >/dev/null; is $? 0 "two nodes are up"
# Not its helpers, which look like it: who listens.
layer() { ss -xlpH src "$root/nodes/dies/$1/layer-*.sock" | sed -E 's/.*pid=([0-9]+).*/\1/'; }
daemon() { cut -d' ' -f1 "$root/lock"; }
life() { field own-1 incarnation; }
again() { [ "$(life)" -gt "$1" ] && is_healthy own-1; }

# Its volume has a layer from the node's start.
lp exec own-1 sh -c 'echo kept >/held/file; sync /held/file'
was=$(life); kill -9 "$(layer own-1)"
within 5 again "$was"; ok $? "the node begins another life"
like "$(lp why own-1)" "own-1 was ended: the layer of its volume /held has ended" "why tells"
is "$(lp exec own-1 cat /held/file)" kept "its volume is there again"
kill -9 "$(daemon)"; lp daemon --background >/dev/null
was=$(life); kill -9 "$(layer own-1)"
within 5 again "$was"; ok $? "a daemon that came later sees it, too"
was=$(life); kill -9 "$(daemon)"; kill -9 "$(layer own-1)"; lp daemon --background >/dev/null
within 5 again "$was"; ok $? "and one that came after it"
was=$(life); lp restart own-1 >/dev/null; within 5 again "$was"
! lp why own-1 | tail -n 8 | grep -q 'was ended'; ok $? "a node that is stopped is not one whose volume died"

# One that was put there for a fault, while what the kernel has of a file is dropped, and read again.
lp exec db-1 sh -c 'head -c 1000000 /dev/zero >/data/big; sync /data/big'
lp break db-1 disk-slow --on read --delay 4s >/dev/null
lp break db-1 lose-writes >/dev/null
for i in 1 2 3 4; do
    lp exec db-1 sh -c 'while ! [ -e /tmp/over ]; do cat /data/big; sleep 0.02; done' >/dev/null 2>"$work/told.$i" &
done
readers() { pgrep -fc 'cat /data/big$'; }
within 5 eval '[ "$(readers)" -ge 4 ]'; ok $? "four read from the slow disk"
lost=$(lp faults -o json | jq -r '.[] | select(.kind == "lose-writes") | .fault')
timeout 2 "$LIMPET" --root "$root" heal "$lost" >/dev/null 2>&1
kill -9 "$(layer db-1)"
told() { for i in 1 2 3 4; do grep -qE 'not connected|connection abort' "$work/told.$i" || return 1; done; }
within 3 told; ok $? "each of them is told that the disk is gone"
lp exec db-1 touch /tmp/over; wait
lp heal --all >/dev/null; is $? 0 "it is healed"
is "$(lp exec db-1 sh -c 'wc -c </data/big')" 1000000 "and the volume is there"
finish
