#!/usr/bin/env bash
# Bad input, a missing image, a port in use, a damaged journal: each ends in a clear error and a state
# from which up or down works. (A full disk: diskfull.t; a runtime that hangs: hang.t.)
. "$(dirname "$0")/tap.sh"
before=$(machine)
cat >"$work/bad.yaml" <<'Y'
name: bad
services:
  web:
    image: host
    comand: [sleep, "1"]
    healthcheck: {test: [HTTP], intervall: 1s}
    depends_on: [dbb]
    ports: ["99999:80"]
  db:
    image: host
    command: [sleep, "1"]
    cgroup_parent: /x
Y
out=$(lp up "$work/bad.yaml" 2>&1); is $? 2 "a bad file is exit code 2"
like "$out" 'bad.yaml:5:5: .*comand.*command' "an unknown key, its place and the right spelling"
like "$out" 'bad.yaml:6:.*intervall.*interval' "in a nested place too"
like "$out" "bad.yaml:7:.*dbb.*db" "an unknown service"
like "$out" 'bad.yaml:8:.*99999' "a bad port"
like "$out" 'bad.yaml:12:.*cgroup_parent' "a key of Compose that is not supported is named"
ok "$(test ! -e "$root"; echo $?)" "nothing was touched"
lp nonsense >/dev/null 2>&1; is $? 2 "an unknown verb is exit code 2"
like "$(lp statsu 2>&1)" 'status' "with the nearest verb"
lp ps >"$work/out" 2>&1; is $? 1 "no daemon: exit code 1"
like "$(cat "$work/out")" 'up' "and what to do"

port=$(free_port)
cat >"$work/good.yaml" <<Y
name: good
services:
  web:
    image: host
    command: [sleep, "1000"]
Y
cat >"$work/missing.yaml" <<Y
name: missing
services:
  web: {image: $work/no-such-folder, command: [sleep, "1"]}
Y
out=$(lp up "$work/missing.yaml" --wait=8 2>&1); is $? 2 "a missing folder as image is refused"
like "$out" 'missing.yaml:3:.*no-such-folder' "and says where and which"
sed -i 's|image: [^,]*|image: "127.0.0.1:1/nothing:1"|' "$work/missing.yaml"
out=$(lp up "$work/missing.yaml" --wait=10 2>&1); is $? 3 "an image that cannot be had"
like "$out" 'image could not be made: 127.0.0.1:1/nothing:1: .*cannot be reached' "is named, with the reason"
lp down missing >/dev/null 2>&1; is $? 0 "down works after that"

python3 -c "import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', $port)); s.listen(); time.sleep(600)" &
holder=$!
within 5 grep -qi "$(printf '0100007F:%04X 00000000:0000 0A' "$port")" /proc/net/tcp
sed "s/web:/web:\n    ports: [\"127.0.0.1:$port:80\"]/; s/good/busy/" "$work/good.yaml" >"$work/busy.yaml"
out=$(lp up "$work/busy.yaml" --wait=15 2>&1; lp events -n 60 2>&1)
like "$out" "$port" "a port in use is named"
kill $holder; wait $holder 2>/dev/null
lp down busy >/dev/null 2>&1; is $? 0 "down works after that"

# The last records are damaged: the daemon says so, --salvage keeps the rest, and it goes on.
lp daemon --salvage >"$work/out" 2>&1; is $? 1 "--salvage leaves a journal in use alone"
like "$(cat "$work/out")" 'a daemon runs' "and says who uses it"
lp up "$work/good.yaml" --wait=60 >/dev/null 2>&1
lp shutdown >/dev/null
within 5 test ! -S "$root/limpet.sock"
lp daemon --salvage >"$work/out" 2>&1; is $? 0 "--salvage of a sound journal"
like "$(cat "$work/out")" 'nothing was changed' "changes nothing"
python3 - "$root/journal.db" <<'P'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as journal:
    last = journal.execute("SELECT max(seq) FROM records").fetchone()[0]
    journal.execute("UPDATE records SET body = body || ' ' WHERE seq >= ?", (last - 2,))
P
out=$(lp daemon --background 2>&1); is $? 1 "with a damaged journal the daemon does not run"
like "$out" 'damaged behind record [0-9]+.*limpet daemon --salvage' "it says where the damage is and what to do"
out=$(lp daemon --salvage 2>&1); is $? 0 "which is done"
like "$out" 'goes on behind record [0-9]+' "up to the last sound record"
ok "$(ls "$root" | grep -q '^journal.db.corrupt-'; echo $?)" "the damaged file is kept"
lp up "$work/good.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up works with what is left"
is "$(field web-1 health)" healthy "its node is watched over"
lp down good >/dev/null; is $? 0 "down, too"

lp shutdown >/dev/null
within 5 test ! -S "$root/limpet.sock"
dd if=/dev/urandom of="$root/journal.db" bs=1 seek=20 count=200 conv=notrunc 2>/dev/null
out=$(lp ps 2>&1; lp up "$work/good.yaml" --wait=20 2>&1); like "$out" 'journal' "a corrupt journal is named"
mv "$root/journal.db" "$work/journal.bad"; rm -f "$root"/journal.db-*
lp up "$work/good.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "without it up works"
lp down good >/dev/null 2>&1
finish
