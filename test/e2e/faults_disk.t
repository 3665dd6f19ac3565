#!/usr/bin/env bash
# Disks that fail on purpose: each fault's effect is seen from within the node, and its end.
. "$(dirname "$0")/tap.sh"
[ -c /dev/fuse ] || skip_all 'this machine has no FUSE'
before=$(machine)
# A small image of our own, for a node whose root is not the host's.
image=$work/image
mkdir -p "$work/bound"
mkdir -p "$image"/{bin,etc,proc,sys,dev,tmp,root,own}
cp "$(command -v busybox)" "$image/bin/busybox"
for applet in sh cat chown sleep stat su touch; do ln -s busybox "$image/bin/$applet"; done
printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:33:33:user:/tmp:/bin/sh\n' >"$image/etc/passwd"
printf 'root:x:0:\nuser:x:33:\n' >"$image/etc/group"
chown 33:33 "$image/own"
cat >"$work/disks.yaml" <<Y
name: disks
services:
  db:
    image: host
    command: [sleep, "1000"]
    volumes: ["data:/var/data"]
    configs: [{source: conf, target: /var/data/conf}]
  two:
    image: host
    command: [sleep, "1000"]
    volumes: ["data:/a", "more:/b", "more:/c:ro,faults"]
  open:
    image: host
    command: [sleep, "1000"]
    volumes: ["held:/held:faults"]
  apart:
    image: $image
    command: [sleep, "1000"]
    volumes: ["own:/own", "$work/bound:/bound", {type: volume, source: other, target: /other, faults: true}]
  none:
    image: host
    command: [sleep, "1000"]
configs:
  conf: {content: "kept in sight\n"}
volumes: {data: {}, more: {}, held: {}, own: {}, other: {}}
Y
lp up "$work/disks.yaml" --wait=60 >/dev/null; is $? 0 "five nodes are up"
data=$root/volumes/disks/data
npid() { cat "$root/nodes/disks/$1/pid"; } # of limpet-init
healed() { [ "$(lp faults -o json)" = "[]" ] && [ ! -e "$root/faults" ]; }
in_db() { lp exec db-1 sh -c "$1" 2>&1; }
# Those that were put there for a fault: two volumes have one of their own.
layers() { pgrep -af "layer [^ ]+ $root" | grep -vc ' limpet '; }
covered() { grep -c 'fuse\.limpet' "/proc/$(npid db-1)/mountinfo"; }
gone() { [ "$(layers) $(covered)" = "0 0" ]; }
heal() { lp heal --all >/dev/null && within 5 gone; }

# Which volume.
out=$(lp break none-1 read-only 2>&1); is $? 1 "a node without a volume"
like "$out" "none has no volume" "is refused in words"
out=$(lp break two-1 read-only 2>&1); is $? 2 "a node with two volumes"
like "$out" "several volumes.*/a, /b, /c" "is told which there are"
out=$(lp break db-1 read-only --volume / 2>&1); is $? 1 "the root of a node"
like "$out" "no volume '/'; it has: /var/data" "is no volume"
out=$(lp break db-1 io-error --on fly 2>&1); is $? 2 "an operation that there is not"
like "$out" "all, read, write or sync" "and which there are"
echo seen >"$root/volumes/disks/more/seen"; lp break two-1 io-error --volume /c --for 1m >/dev/null; is $? 0 "a volume that the node only reads"
like "$(lp exec two-1 cat /c/seen 2>&1)" "Input/output error" "fails to be read"
out=$(lp break two-1 disk-full --volume /c 2>&1); is $? 1 "it cannot be full"
like "$out" "may not write" "and why"
lp heal --all >/dev/null
lp break two-1 read-only --volume /b --for 1m >/dev/null; is $? 0 "a volume by its place"
! lp exec two-1 touch /b/x 2>/dev/null && lp exec two-1 touch /a/x; ok $? "is the one that is broken"
lp heal --all >/dev/null

# Each kind.
out=$(lp break db-1 read-only --for 1m); is $? 0 "read-only"
like "$out" "Read-only file system" "was seen"
like "$(in_db 'echo new >/var/data/file')" "Read-only file system" "nothing can be written"
is "$(in_db 'cat /var/data/conf')" "kept in sight" "what is mounted inside the volume stays in sight"
lp break db-1 read-only --for 1m >/dev/null 2>&1; is $? 1 "one fault of a kind a volume"
heal; ok $? "healed: no process and no mount is left"
[ ! -e "$root/faults" ]; ok $? "and no note"
is "$(in_db 'echo new >/var/data/file; cat /var/data/file')" new "it can be written again"

lp break db-1 disk-full --for 1m >/dev/null; is $? 0 "disk-full"
like "$(in_db 'echo more >>/var/data/file')" "No space left|I/O error" "nothing can be added"
is "$(in_db 'cat /var/data/file')" new "what is there can be read"
is "$(in_db 'df --output=avail /var/data | tail -n 1' | tr -d ' ')" 0 "df shows no room"
is "$(in_db 'printf old | dd of=/var/data/file conv=notrunc status=none; cat /var/data/file')" old \
    "what has its room already can be written over"
heal; ok $? "healed"
lp break db-1 disk-full --leave 64k --for 1m >/dev/null
in_db 'head -c 200000 /dev/zero >/var/data/big' >/dev/null
is "$(stat -c %s "$data/big")" 65536 "disk-full --leave: as much as is left can be written"
in_db 'rm /var/data/big; head -c 50000 /dev/zero >/var/data/big' >/dev/null
is "$(stat -c %s "$data/big")" 50000 "what is removed makes room"
heal

lp break db-1 disk-slow --delay 60ms --on sync --for 1m >/dev/null; is $? 0 "disk-slow"
took() { in_db "python3 -c '
import os, time
f = os.open(\"/var/data/slow\", os.O_RDWR | os.O_CREAT)
t = time.monotonic(); os.write(f, b\"x\"); w = time.monotonic() - t
t = time.monotonic(); os.fsync(f); s = time.monotonic() - t
print(int(w * 1000), int(s * 1000))'"; }
read -r w s <<<"$(took)"
[ "$s" -ge 60 ]; ok $? "a sync takes 60 ms longer ($s ms)"
heal

lp break db-1 io-error --on read --for 1m >/dev/null; is $? 0 "io-error --on read"
like "$(in_db 'cat /var/data/file')" "Input/output error" "reads fail"
in_db 'echo written >/var/data/other' >/dev/null; is "$(cat "$data/other")" written "writes do not"
heal
failures_of() { in_db "python3 -c '
import os
f, n = os.open(\"/var/data/some\", os.O_RDWR | os.O_CREAT), \"\"
for i in range(200):
    try: os.pwrite(f, b\"x\", 0); n += \".\"
    except OSError: n += \"E\"
print(n)'"; }
lp break db-1 io-error --share 25% --on write --seed 7 --for 1m >/dev/null
first=$(failures_of); n=$(tr -cd E <<<"$first" | wc -c)
[ "$n" -gt 20 ] && [ "$n" -lt 80 ]; ok $? "io-error --share 25%: $n of 200 writes fail"
heal; lp break db-1 io-error --share 25% --on write --seed 7 --for 1m >/dev/null
is "$(failures_of)" "$first" "with the same seed the same ones"
heal

# What is not synced is lost.
write_ab() { in_db "python3 -c '
import os
def put(name, text, is_synced):
    f = os.open(\"/var/data/\" + name, os.O_WRONLY | os.O_CREAT)
    os.write(f, text)
    if is_synced: os.fsync(f)
    os.close(f)
put(\"A\", b\"synced\", True); put(\"B\", b\"not synced\", False); put(\"A\", b\"SYN\", False)'"; }
lp break db-1 lose-writes --for 1m >/dev/null; is $? 0 "lose-writes"
write_ab
is "$(in_db 'cat /var/data/A /var/data/B')" "SYNcednot synced" "what is written can be read"
lp break db-1 crash >/dev/null
within 10 eval '[ "$(field db-1 state)" = up ]'; ok $? "the node crashes and comes back"
is "$(in_db 'cat /var/data/A /var/data/B')" "synced" "what was synced is there, what was not is lost"
within 10 eval '[ "$(covered)" = 1 ]'; ok $? "the fault follows the node into its new life"
write_ab; heal
is "$(in_db 'cat /var/data/A /var/data/B')" "synced" "its end loses what was not synced, too"

# A node does not wait for its slow disk when it is to die.
lp break db-1 disk-slow --delay 30s --on write --for 5m --no-wait >/dev/null
within 5 eval '[ "$(covered)" = 1 ]'
lp exec db-1 sh -c 'echo late >/var/data/late' >/dev/null 2>&1 &
sleep 0.5; start=$SECONDS
lp break db-1 crash >/dev/null; is $? 0 "a node that waits for its disk crashes"
wait; [ $((SECONDS - start)) -lt 20 ]; ok $? "at once"
lp heal --all >/dev/null; within 10 eval '[ "$(field db-1 state)" = up ]'; within 5 gone; ok $? "and is healed"

# Without the daemon, and without the layer.
lp break db-1 read-only --for 5m >/dev/null
pkill -9 -f "$root.*daemon|daemon.*$root"; within 5 eval '! lp ps >/dev/null 2>&1'
like "$(nsenter -t "$(npid db-1)" -m touch /var/data/x 2>&1)" "Read-only" "the fault stays without the daemon"
heal; ok $? "the next daemon undoes it"
lp break db-1 read-only --for 5m >/dev/null
pkill -9 -f "layer [^ ]+ $root/nodes/disks/db-1/"
heal; ok $? "the mount of a layer that died is taken away"
is "$(in_db 'cat /var/data/file')" old "and the volume is there"
lp break db-1 io-error --for 1m >/dev/null
lp exec db-1 sh -c 'exec 3</var/data/conf 4>/var/data/open; echo before >&4; sleep 3; echo after >&4' 2>/dev/null &
sleep 0.5; lp heal --all >/dev/null; is "$(covered)" 0 "healed while a file is open"
wait; within 5 gone; ok $? "the layer goes when it is closed"

# Owners are those that the node sees.
owner() { lp exec apart-1 stat -c '%u:%g %a' "$1"; }
for folder in own other bound; do
    [ $folder = other ] || lp break apart-1 disk-slow --delay 1us --volume "/$folder" --for 1m >/dev/null
    lp exec apart-1 sh -c "touch /$folder/root; chown 33:33 /$folder; su user -c 'touch /$folder/file'"
    is "$(owner /$folder/root) $(owner /$folder/file)" "0:0 644 33:33 644" "owners in a user namespace ($folder)"
    like "$(lp exec apart-1 su user -c "echo no >/$folder/root" 2>&1)" "ermission denied" "and who may what"
    if [ $folder = bound ]; then is "$(stat -c %u "$work/bound/file")" 33 "as they are on the host's disk"
    else is "$(stat -c %u "$root/volumes/disks/$folder/file")" 100033 "shifted on the host's disk"; fi
done
lp break apart-1 lose-writes --volume /bound --for 1m >/dev/null
lp exec apart-1 su user -c 'echo lost >/bound/file'; is "$(lp exec apart-1 cat /bound/file)" lost "what is not synced can be read"
lp heal --all >/dev/null; is "$(cat "$work/bound/file")" "" "and is lost, where owners are shifted, too"

# A volume with a layer from the node's start: faults reach what is open.
own() { pgrep -f "layer [^ ]+ $root/nodes/disks/open-1/"; }
was=$(own)
lp exec open-1 python3 -u -c '
import errno, os, time
f = os.open("/held/log", os.O_WRONLY | os.O_CREAT)
while True:
    try:
        os.write(f, b"line\n"); os.fsync(f); print("written")
    except OSError as e: print(errno.errorcode[e.errno])
    time.sleep(0.05)' >"$work/told" 2>&1 &
told() { [ "$(tail -n 1 "$work/told")" = "$1" ]; }
within 5 told written; ok $? "a process writes to a file that it keeps open"
for fault in "disk-full ENOSPC" "read-only EROFS" "io-error EIO"; do
    lp break open-1 "${fault% *}" --for 1m >/dev/null
    within 5 told "${fault#* }"; ok $? "$fault reaches it"
    lp heal --all >/dev/null; within 5 told written; ok $? "and is over"
done
is "$(own)" "$was" "the layer stays"
out=$(lp break open-1 lose-writes --for 1m); is $? 0 "lose-writes"
lp exec open-1 python3 -c '
import os
f = os.open("/held/ab", os.O_RDWR | os.O_CREAT)
os.write(f, b"A"); os.fsync(f); os.write(f, b"B")
os.open("/held/ready", os.O_CREAT)'
is "$(lp exec open-1 cat /held/ab)" AB "both are written"
lp break open-1 crash >/dev/null; within 10 eval '[ "$(field open-1 state)" = up ]'
wait
is "$(lp exec open-1 cat /held/ab)" A "after a crash the one is there that was synced"
lp heal --all >/dev/null
within 5 eval '[ "$(own | wc -w)" = 1 ] && [ "$(own)" != "$was" ]'; ok $? "the new life has a layer of its own"
# It is killed while a slow read is under way, which keeps no second fault from being seen.
lp exec open-1 sh -c 'head -c 1000000 /dev/zero >/held/big; sync /held/big'
lp break open-1 disk-slow --on read --delay 10m --no-wait >/dev/null
lp exec open-1 cat /held/big >/dev/null 2>&1 &
sleep 0.5; timeout 60 "$LIMPET" --root "$root" break open-1 io-error --on write >/dev/null
is $? 0 "a second fault beside a slow read"
kill -9 $(own)
within 5 eval '[ -z "$(own)" ]'; ok $? "a layer that is killed leaves nobody waiting"
wait; lp heal --all >/dev/null
within 10 eval '[ "$(field open-1 state)" = up ] && [ "$(own | wc -w)" = 1 ]'
within 5 eval '[ "$(lp exec open-1 cat /held/ab)" = A ]'; ok $? "the node's next life has its volume again"

# Whenever the daemon is killed, nothing is left.
for i in 1 2 3 4 5 6; do
    daemon=$(cut -d' ' -f1 "$root/lock") kind=$(shuf -n 1 -e read-only lose-writes disk-full)
    [ $((i % 2)) = 1 ] || lp break db-1 "$kind" --for 5m >/dev/null
    if [ $((i % 2)) = 1 ]; then lp break db-1 "$kind" --for 5m; else lp heal --all; fi >/dev/null 2>&1 &
    sleep "0.0$(shuf -n 1 -i 10-50)"; kill -9 "$daemon"; wait
    heal && [ "$(in_db 'echo x >/var/data/x; cat /var/data/x')" = x ] && [ ! -e "$root/faults" ]
    ok $? "the daemon is killed, $kind"
done

# A database.
sql() { in_db "sqlite3 /var/data/base.db \"$1\""; }
# Inserts, each told when the database says that it is durable; then the power goes.
inserts() { lp exec open-1 python3 -u -c "
import sqlite3
c = sqlite3.connect('/held/$1.db', isolation_level=None)
c.execute('pragma journal_mode=wal'); c.execute('pragma synchronous=$1')
c.execute('create table t (n integer)')
for n in range(1000000): c.execute('insert into t values (?)', (n,)); print(n)" >"$work/acks" 2>/dev/null; }
there() { lp exec open-1 python3 -c "
import sqlite3
c = sqlite3.connect('/held/$1.db')
print(c.execute('pragma integrity_check').fetchone()[0], c.execute('select count(*) from t').fetchone()[0])" 2>&1; }
lp exec open-1 python3 -c 'import os; os.sync()'
lp break open-1 lose-writes --for 5m >/dev/null
inserts full &
within 10 eval '[ "$(wc -l <"$work/acks")" -gt 50 ]'
lp break open-1 crash >/dev/null; wait
within 10 eval '[ "$(field open-1 state)" = up ]'
acks=$(wc -l <"$work/acks") out=$(there full)
like "$out" "^ok [0-9]+$" "a database survives the loss of what it did not sync"
[ "$acks" -gt 50 ] && [ "${out#ok }" -ge "$acks" ]; ok $? "and has all that it told of ($acks, then $out)"
lp heal --all >/dev/null; within 5 healed; ok $? "no fault is left, and no note"
if command -v sqlite3 >/dev/null; then
    sql "pragma journal_mode=wal; create table t (n integer); insert into t values (1);" >/dev/null
    lp break db-1 io-error --share 30% --seed 3 --for 1m >/dev/null
    for n in 2 3 4 5 6 7 8 9; do sql "insert into t values ($n);"; done >/dev/null
    heal; is "$(sql 'pragma integrity_check;')" ok "a database survives a disk that fails"
    lp break db-1 disk-full --leave 8k --for 1m >/dev/null
    like "$(for n in 11 12 13 14 15 16; do sql "insert into t values (hex(randomblob(9000)));"; done)" \
        "full|disk I/O error" "it tells that its disk is full"
    heal; is "$(sql 'pragma integrity_check; insert into t values (99); select count(*) from t where n = 99;')" \
        "ok
1" "and works again when there is room"
else
    ok 0 "a database # SKIP sqlite3 is missing"
fi
lp break db-1 disk-slow --delay 1ms --for 5m >/dev/null; lp break db-1 lose-writes --for 5m >/dev/null
finish
