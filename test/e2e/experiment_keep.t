#!/usr/bin/env bash
# Where the result of an experiment is kept: tried beforehand, never lost to a full disk.
. "$(dirname "$0")/tap.sh"
before=$(machine)
mkdir "$work/small" "$work/sealed"
mount -t tmpfs -o size=256k tmpfs "$work/small"
mount -t tmpfs -o ro tmpfs "$work/sealed"
fill() { dd if=/dev/zero of="$work/small/fill" bs=64k 2>/dev/null; }
free() { rm -rf "$work/small"/*; }
result() { jq -r "$1" "$2/result.json"; }

cat >"$work/touch.yaml" <<Y
title: touches a file
steady_state: {for: 0s, checks: [{exec: [true]}]}
stages:
  - break: [{exec: [touch, $work/touched]}, {exec: [sh, -c, "\${DO:-true}"]}]
Y
refused() { # WORDS OPTIONS...: 2, in words, with nothing touched
    local words=$1 status
    shift
    out=$(cd "$work" && lp experiment run "$work/touch.yaml" "$@" 2>&1)
    status=$?
    [ "$status" = 2 ] && [ ! -e "$work/touched" ]
    ok $? "refused with 2, nothing was touched: $*"
    like "$out" "$words" "and it is said why"
}
echo text >"$work/file"
refused "--out: $work/sealed/a/b cannot be written: .*Read-only file system" --out "$work/sealed/a/b"
refused "--out: $work/file/x cannot be written: .*Not a directory" --out "$work/file/x"
refused "--journal: $work/none/j.json cannot be written: No such file" --journal "$work/none/j.json"
refused "--journal: $work/small is a folder" --journal "$work/small"
fill
refused "--out: $work/small/a/b cannot be written: write: No space left on device" --out "$work/small/a/b"
is "$(ls "$work/small")" fill "what was made for it is taken away again"
refused "--journal: $work/small/j cannot be written: write: No space left" --journal "$work/small/j"
is "$(ls "$work/small")" fill "here, too"
free

# No Limpet lives at the root yet: the folder of --out is the only one.
(cd "$work" && lp experiment run touch.yaml --out there --journal j.json) >"$work/out" 2>&1; is $? 0 "without an infrastructure"
like "$(<"$work/out")" "^$work/there/result.json\$" "the path that was written is told"
is "$(result .status "$work/there")$(jq -r .status "$work/j.json")" passedcompleted "and there it is"
[ ! -e "$work/limpet-experiments" ]; ok $? "and no second one"

one_web "$(free_port)" >"$work/one.yaml"
# Nothing may be put into what is to become the root of a Limpet, before it is one.
cat >"$work/skipped.yaml" <<Y
title: the first is skipped
compare:
  - {name: machine, descriptor: one.yaml, requires: [{runtime: vm}]}
  - {name: container, descriptor: one.yaml, requires: [{command: "\${NEEDED:-true}"}]}
steady_state: {for: 0s, checks: [{http: {service: web}, every: 50ms}]}
stages:
  - break: [{exec: [sh, -c, "\${DO:-true}"]}]
Y
(cd "$work" && lp experiment run skipped.yaml --set NEEDED=no-such-command) >"$work/out" 2>&1; is $? 0 "all is skipped"
id=$(cd "$work" && lp experiment list -o json | jq -r '.[0].id')
like "$(<"$work/out")" "^$work/limpet-experiments/$id/result.json\$" "its result lies beside"
[ ! -e "$root/experiments" ]; ok $? "the root is left empty"
lp experiment run "$work/skipped.yaml" --out "$work/there3" >"$work/out" 2>&1; is $? 0 "the second runs, and its daemon begins"
is "$(jq -r '[.runs[].status] | join(" ")' "$work/there3/result.json")" "skipped passed" "in one result"

# Its runner is killed: what it was about, and what is left, can be found out.
"$LIMPET" --root "$root" experiment run "$work/skipped.yaml" --set "DO=sleep 60" >"$work/out" 2>&1 &
pid=$!
running() { [ "$(lp experiment list -o json | jq -c '.[-1].unfinished')" = "$1" ]; }
within 10 running '{"run":2,"of":2,"infrastructures":["one"],"running":true}'; ok $? "one that runs is listed as running"
like "$(lp experiment list)" ' running +1 .*the first is skipped' "for people, too"
within 10 grep -q 'steady-state .*passed' "$work/out"
kill -9 $pid; wait $pid 2>/dev/null
running '{"run":2,"of":2,"infrastructures":["one"],"running":false}'; ok $? "one whose runner was killed is not"
out=$(lp experiment show); is $? 0 "show tells of it"
like "$out" 'the first is skipped: cut off' "that it was cut off"
like "$out" 'run 1: skipped' "the run that was over"
is "$(grep -c 'limpet down one --volumes' <<<"$out")" 1 "and what is left"
lp down one --volumes >/dev/null
rm -rf "$root/experiments"

cat >"$work/full.yaml" <<Y
title: fills the disk
infrastructure: one.yaml
steady_state: {for: 100ms, checks: [{http: {service: web}, every: 50ms}]}
load: {service: web, rate: "\${RATE:-200}", for: 500ms}
stages:
  - break: [{break: web-1, fault: pause, for: 30s}, {wait: 100ms}, {exec: [sh, -c, "\${DO:-true}"]}]
  - heal: [{heal: all}, {wait: {load: 500ms}}]
Y
run() { lp experiment run "$work/full.yaml" "$@" >"$work/out" 2>"$work/err"; }
run --out "$work/small/out" --journal "$work/small/j.json" --set "DO=dd if=/dev/zero of=$work/small/fill bs=64k 2>/dev/null; true"
is $? 1 "the disk of --out is full in the end: 1"
like "$(<"$work/err")" "write $work/small/out/.*: No space left on device" "that is said"
like "$(<"$work/err")" "write $work/small/j.json: .*No space left on device" "of the journal, too"
like "$(<"$work/out")" '^ *1 +one +[0-9.]+ %' "the summary is told all the same"
id=$(lp experiment list -o json | jq -r '.[0].id')
like "$(<"$work/out")" "^$root/experiments/$id/result.json\$" "and where the result is kept"
is "$(result .status "$root/experiments/$id")" passed "there it is, whole"
is "$(find "$work/small" -name '*.new' -o -name j.json | wc -l)" 0 "no half of a file is left"
like "$(lp experiment show "$id")" 'fills the disk: passed' "show finds it"
is "$(lp load show "$root/experiments/$id/run-1.load" -o json | jq .is_whole)" true "the record of the load is there, too"
cp "$root/experiments/$id/result.json" "$work/kept.json"
out=$(lp experiment report "$id" --html "$work/small/page.html" 2>&1); is $? 2 "a page onto a full disk: refused with 2"
like "$out" "--html: $work/small/page.html cannot be written: .*No space left" "and why"
free
out=$(lp experiment report "$id" --html "$work/small/page.html" 2>&1); is $? 0 "with space it is written"
[ "$(lp experiment report "$work/kept.json" -q --html /dev/stdout | head -c 15)" = '<!DOCTYPE html>' ] && [ -c /dev/null ]
ok $? "a page through a pipe"

run --out "$work/small/out"; is $? 0 "with space"
like "$(<"$work/out")" "^$work/small/out/result.json\$" "the copy is told of"
cmp -s "$work/small/out/run-1.load" "$(lp experiment list -o json | jq -r --arg r "$root" '"\($r)/experiments/\(.[-1].id)/run-1.load"')"
ok $? "with the record of the load"

# The root's own disk: the record of the load is cut off, so that its figures are none.
free
mount --bind "$work/small" "$root/experiments"
run --set RATE=2000 --set "DO=dd if=/dev/zero of=$work/small/fill bs=64k 2>/dev/null; true" --out "$work/there2"
is $? 1 "the disk of the root is full"
like "$(<"$work/err")" "write $root/experiments/.*: No space left" "that is said"
is "$(result .status "$work/there2")" invalid "figures from half a record are none: invalid"
like "$(result '.reasons[0]' "$work/there2")" 'the record of the load is cut off: .*No space left' "with the reason"
like "$(<"$work/out")" "^$work/there2/result.json\$" "the copy has what is known"
umount "$root/experiments"

url=http://127.0.0.1:$(free_port)/
fill
before_it=$(cat "$work/file")
out=$(lp load "$url" --rate 10 --for 100ms --out "$work/small/x.load" 2>&1); is $? 2 "limpet load --out onto a full disk: refused with 2"
like "$out" "--out: $work/small/x.load cannot be written: .*No space left" "and why"
free
lp load "$url" --rate 10 --for 100ms --fail-above 100% --out "$work/file" >/dev/null; is $? 0 "over an older file"
is "$(lp load show "$work/file" -o json | jq .is_whole)$before_it" truetext "which is replaced"
umount "$work/small" "$work/sealed"
finish
