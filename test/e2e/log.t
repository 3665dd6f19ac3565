#!/usr/bin/env bash
# limpet log, from a log of our own making: every sub-verb, its forms of output, its exit codes; and
# watch across rotation, truncation and its own end, and of a journal.
. "$(dirname "$0")/tap.sh"
before=$(machine)
cd "$work" || exit 1
LIMPET=$(realpath "$LIMPET")
watcher="" bad=""
trap '[ -n "$watcher" ] && kill "$watcher" 2>/dev/null; umount small 2>/dev/null; sweep' EXIT

# A log in a rhythm: log in, work, log out; every 5th round a job of cron.
round() { # NUMBER
    local n=$1
    echo "Jan  1 10:00:00 box sshd[$n]: Accepted password for user$n from 10.0.0.$((n % 250)) port $((n + 1024))"
    echo "Jan  1 10:00:01 box sshd[$n]: session opened for user user$n"
    echo "Jan  1 10:00:02 box app[$n]: request $n took $((n * 7 % 90)) ms"
    echo "Jan  1 10:00:03 box app[$n]: cache hit ratio $((n % 100))"
    echo "Jan  1 10:00:04 box sshd[$n]: session closed for user user$n"
    [ $((n % 5)) = 0 ] && echo "Jan  1 10:00:05 box CRON[$n]: run-parts $n"
    return 0
}
rounds() { local n; for ((n = $1; n < $2; n++)); do round "$n"; done; }
rounds 0 300 >normal.log
rounds 300 400 >new.log

for verb in rank watch templates train merge 'sessions train' 'sessions score' generate inject evaluate plot; do
    # shellcheck disable=SC2086
    [[ "$(lp log $verb --help)" == "usage: limpet log $verb"* ]] || bad+=" $verb"
    # shellcheck disable=SC2086
    lp log $verb --no-such-option >/dev/null 2>&1; [ $? = 2 ] || bad+=" $verb-option"
done
is "$bad" "" "each sub-verb has its help and refuses what it does not know"
lp log >/dev/null; is $? 2 "no sub-verb is bad usage"
like "$(lp log rnak 2>&1)" "did you mean 'rank'" "a sub-verb's nearest spelling"
lp log rank >/dev/null 2>&1; is $? 2 "a missing file is bad usage"
lp log rank no.log >/dev/null 2>"$work/err"; is $? 2 "a file that is not there is bad input"
like "$(cat "$work/err")" 'no.log: No such file' "and is named"
like "$(lp log rank --format sylog new.log 2>&1)" "did you mean 'syslog'" "a format's nearest spelling"
lp log rank -m normal.log new.log >/dev/null 2>"$work/err"; is $? 2 "a file that is no model is bad input"

like "$(lp log templates normal.log)" '^300 +3 +app +request \* took \*$' "templates: count, first line, tag, text"
is "$(lp log templates -o json normal.log | jq -r 'select(.count == 60).template')" 'run-parts *' "as JSON"
like "$(lp log templates normal.log | tail -n 1)" '^1560 lines, 6 templates, format syslog$' "and what was read"
is "$(printf 'a 1\r\n\r\nb\0\n\n\xff\xfe 2' | lp log templates --format free - | tail -n 1)" \
    "5 lines, 3 templates, format free" "CRLF, NUL, empty lines, no UTF-8, no last newline"

is "$(lp log rank - </dev/null 2>&1; echo $?)" 0 "an empty log has nothing odd in it"
gzip -k normal.log
is "$(lp log templates normal.log.gz)" "$(lp log templates normal.log)" "a packed log is read"
head -c 900 normal.log.gz >cut.gz
refusal() { lp log "$@" 2>&1 >/dev/null | tr '\n' ' '; echo "${PIPESTATUS[0]}"; } # what it says, and its status
like "$(refusal rank cut.gz)" 'cut.gz: gzip cannot read it: it is damaged 2$' "a damaged one is refused"
like "$(refusal rank - < <(cat normal.log.gz))" 'this is packed: gzip -dc.* 2$' "one from a pipe is named"
printf 'a\0 \0b\0\n\0%.0s' {1..9} >wide.log
like "$(refusal rank wide.log)" 'wide.log: this is UTF-16: iconv.* 2$' "what UTF-16 is, is said"
like "$(refusal rank "$LIMPET")" 'this is no text.* 2$' "and what is no text"
like "$(refusal rank .)" 'this is a folder.* 2$' "or a folder"
is "$(printf '\xef\xbb\xbf{"msg":"a","logger":"b"}\n' | lp log templates -o json - | jq -r .tag)" b "a mark of UTF-8 is no text"
mknod full c 1 7
lp log train -q -o full normal.log 2>/dev/null; is "$? $(stat -c %F full)" "1 character special file" "a full device stays what it is"
lp log rank normal.log >full 2>"$work/err"; is $? 1 "what cannot be printed is a failure"
like "$(cat "$work/err")" 'No space left' "and said"
like "$(refusal train -o no/folder normal.log)" 'no/folder cannot be written.* 2$' "before anything is read"

is "$(printf '\n\n' | lp log rank - 2>&1; echo $?)" 0 "nor has one of empty lines"
lp log train -q -o none.model /dev/null 2>/dev/null; is $? 2 "there is nothing to learn from it"

lp log train -q -o all.model normal.log new.log; is $? 0 "train"
rounds 0 150 >first.log; rounds 150 300 >second.log
lp log train -q -o first.model first.log; lp log train -q -o second.model second.log new.log
lp log merge -q -o sum.model first.model second.model; is $? 0 "merge"
lp log train -q -o both.model first.log second.log new.log
is "$(sha256sum <sum.model)" "$(sha256sum <both.model)" "adds up to what one training on all gives"
head -c 300 all.model >cut.model
lp log merge -q -o bad.model cut.model all.model 2>"$work/err"; is $? 2 "a damaged model is refused"
ok "$(test ! -e bad.model; echo $?)" "and nothing is written"

# A line that does not belong, and one that is missing.
{ sed -n '1,210p' new.log; echo 'Jan  1 10:00:00 box kernel: disk failure on sda'; sed -n '211,322p;324,$p' new.log; } >odd.log
out=$(lp log rank -m all.model -n 20 odd.log)
like "$out" 'line 211 `disk failure on sda` \(kernel\) was not expected' "rank tells the line that does not belong"
like "$out" 'between line 323 .* is missing' "and the place where one is missing"
json=$(lp log rank -m all.model -o json --list unexpected -n 2 odd.log)
is "$(jq -rs 'map(.line) | sort | join(" ")' <<<"$json")" "210 211" "as JSON: an inserted line and the one before"
is "$(jq -rs 'map(keys | join(",")) | unique | join(" ")' <<<"$json")" "because,line,list,score,tag,template" "with its keys"
lp log rank -m all.model --fail odd.log >/dev/null; is $? 1 "--fail: anomalies end with 1"
lp log rank -m all.model --fail new.log >/dev/null; is $? 0 "and none with 0"
is "$(lp log rank -m all.model -q odd.log)" "" "-q is quiet"
for list in unexpected missing merged s3-message s3-tag; do
    lp log rank --list $list odd.log >/dev/null || bad+=" $list"
done
is "$bad" "" "every list, also without a model"
like "$(lp log rank -m all.model --stream -n 20 odd.log)" 'line 211 `disk failure' "--stream finds it, too"
is "$(lp log rank -m all.model -n 20 odd.log 2>/dev/null | grep -c 'disk failure')" 1 "as text once, not again at the line before"
like "$(lp log rank -m all.model odd.log 2>&1 >/dev/null)" '^odd.log: [0-9]+ lines, [0-9]+ templates, format syslog$' "the format is stated"
like "$(lp log rank odd.log new.log | grep -c '^ *[0-9.]* bits  odd.log: ')" '^([5-9]|10)$' "several files: each with its name"

lp log generate -m all.model -n 2000 --seed 7 >walk.log 2>"$work/err"; is "$(wc -l <walk.log)" 2000 "generate"
like "$(cat "$work/err")" 'similarity .*: 0\.9' "tells how alike it is"
is "$(lp log generate -q -m all.model -n 2000 --seed 7 | sha256sum)" "$(sha256sum <walk.log)" "the same seed, the same log"
is "$(lp log templates walk.log -o json | jq -r '.tag + .template' | sort)" \
    "$(lp log templates normal.log -o json | jq -r '.tag + .template' | sort)" "its lines have the same templates"

lp log inject normal.log --insert 5 --delete 5 --seed 3 -o damaged.log --truth truth; is $? 0 "inject"
is "$(wc -l <truth) $(wc -l <damaged.log)" "15 1560" "two truths for an insertion, one for a deletion"
is "$(sort -nu truth | diff - truth)" "" "in order"
lp log inject normal.log --insert 5 --delete 5 --seed 3 -o again.log; is "$(cmp damaged.log again.log)" "" "the same seed, the same damage"
is "$(diff normal.log damaged.log | grep -c '^[<>]')" 10 "ten lines differ, no more"
lp log inject <(head -n 9 normal.log) --insert 9 -o x --truth y >/dev/null 2>&1; is $? 2 "a log that is too short is refused"
json=$(lp log evaluate --train normal.log new.log --windows 4 --repeat 2 --insert 5 --delete 5 -o json)
is "$(jq -s 'map(.trials) | add' <<<"$json")" $((16 * 2 * 3 * 5)) "evaluate: all pairings, repeats, kinds of damage and lists"
is "$(lp log evaluate --train normal.log --test new.log --windows 1 --insert 5 --delete 5 | awk '{ print $1, $2 }' | sed 1d | sort -u)" \
    "other log" "with --test the other log is judged"
is "$(jq -s '[.[] | select(.list == "merged" and .pairing == "other period" and .anomalies == "both")][0].p_at_10 >= 0.8' <<<"$json")" \
    true "most of what is done to so regular a log is found"

printf '1 2 3\n%.0s' {1..60} >sessions; printf 'odd,1 2 9\n1 2 3\n' >asked
lp log sessions train -q -o s.model --allowed 0 sessions; is $? 0 "sessions train"
is "$(lp log sessions score -m s.model -o json asked | jq -c '[.session, .anomalous] | select(.[0] != null)' | tr '\n' ' ')" \
    '["odd",true] [2,false] ' "sessions score: by name or line"
is "$(lp log sessions score -m s.model -o json asked | tail -n 1)" '{"sessions":2,"anomalous":1}' "and how many"
lp log sessions score -m s.model --fail asked >/dev/null; is $? 1 "--fail"
like "$(lp log rank -m s.model new.log 2>&1)" 's.model: this is a model of sessions .*, not a log model' "another kind of model is named"
like "$(lp log sessions score -m all.model asked 2>&1)" 'all.model: this is a log model .*, not a model of sessions' "either way"
like "$(lp log sessions train -o g.model --group-by 'zzz(.)' new.log 2>&1)" 'new.log: no line has what --group-by looks for' "an expression that fits nothing is said"
lp log sessions train -q -o g.model --group-by 'app\[([0-9]+)\]' normal.log; is $? 0 "sessions of a log, by an expression"
is "$(lp log sessions score -m g.model -o json --group-by 'app\[([0-9]+)\]' <(cat new.log; sed -n 4p normal.log) | jq -c '[.session, .anomalous] | select(.[0] and .[1])')" \
    '["0",true]' "are told by what it finds"
like "$(echo '1 x' | lp log sessions score -m s.model - 2>&1)" '1:3' "a mistake has its place"

lp log plot damaged.log --truth truth -o page.html; is $? 0 "plot"
is "$(grep -cE 'https?://|src=|href=' page.html)" 0 "needs nothing but itself"
is "$(grep -o '<svg' page.html | wc -l) $(grep -o 'class="truth"' page.html | wc -l)" "2 15" "two panels, every truth marked"
echo 'Jan  1 10:00:00 box x: <script>alert(1)</script> & more' >>damaged.log
lp log plot damaged.log -o page.html; is "$(grep -c 'alert(1)</script>' page.html)" 0 "what a log says is no page"

# watch: learns what is there, tells what comes, survives rotation, keeps its model.
cp normal.log live.log
"$LIMPET" log watch -m live.model -o json live.log >told 2>"$work/err" &
watcher=$!
within 10 grep -q '1560 lines learnt, watching' "$work/err"; ok $? "watch learns what is there"
told() { grep -q "$1" told; }
like "$(refusal watch -m live.model live.log)" 'live.model: another limpet log watch keeps this model.* 2$' "two watches do not keep one model"
{ rounds 300 310; echo 'Jan  1 10:00:00 box kernel: disk failure on sda'; rounds 310 313; } >>live.log
within 10 told 'disk failure'; ok $? "watch tells what does not belong"
is "$(jq -r '[.source, .line, .list, .text] | join(" ")' told)" \
    "live.log 1613 unexpected Jan  1 10:00:00 box kernel: disk failure on sda" "once, with its line and its text"
mv live.log live.log.1
{ rounds 313 320; echo 'Jan  1 10:00:00 box kernel: fan failure'; rounds 320 323; } >live.log
within 10 told 'fan failure'; ok $? "across a rotation by name"
: >live.log; sleep 1.2
{ rounds 323 330; echo 'Jan  1 10:00:00 box kernel: power failure'; rounds 330 333; } >>live.log
within 10 told 'power failure'; ok $? "and by truncation"
kill -TERM $watcher; wait $watcher; is $? 0 "SIGTERM ends it"; watcher=
is "$(wc -l <told) $(ls live.model*)" "3 live.model"$'\n'live.model.places "nothing else was told, and left"
is "$(lp log templates -o json live.log | jq -s 'length')" 7 "(the log is as it was)"
lp log rank -q -m live.model new.log; is $? 0 "the model was saved"
mkdir small; mount -t tmpfs -o size=256k tmpfs small
cp live.model small/; cp normal.log full.log
"$LIMPET" log watch -m small/live.model --save 1s full.log >told 2>"$work/full.err" &
watcher=$!
within 10 grep -q watching "$work/full.err"
head -c 500000 /dev/zero >small/fill 2>/dev/null
rounds 1 3 >>full.log; within 10 grep -q 'watching goes on' "$work/full.err"; ok $? "a full disk is said, and watch goes on"
rm small/fill; rounds 3 5 >>full.log; within 10 grep -q 'saved again' "$work/full.err"; ok $? "and saves when there is room"
kill -TERM $watcher; wait $watcher; is $? 0 "and ends as ever"; watcher=
umount small
cp live.model kept.model
mkdir many; rounds 0 10 >many/a.log
"$LIMPET" log watch -m live.model --bits 15 --fail many >told 2>"$work/err" &
watcher=$!
within 10 grep -q 'watching' "$work/err"; ok $? "watch goes on with a model"
{ rounds 10 20; echo 'Jan  1 10:00:00 box kernel: roof failure'; rounds 20 22; } >many/b.log
within 10 told 'b.log:.*roof failure'; ok $? "a new file of a folder is followed from its start"
echo '*** a banner ***' >many/c.log; sleep 1.3
{ rounds 10 20; echo 'Jan  1 10:00:00 box kernel: door failure'; rounds 20 22; } >>many/c.log
within 10 told 'c.log:.*`door failure` (kernel)'; ok $? "its format is found out behind a banner, too"
kill -TERM $watcher; wait $watcher; is $? 1 "--fail: there was an anomaly"; watcher=
cmp -s live.model kept.model; is $? 1 "what was seen is learnt"
{ rounds 0 5; echo 'Jan  1 10:00:00 box kernel: wall failure'; rounds 5 9; } |
    timeout 20 "$LIMPET" log watch -m live.model --bits 15 - >told 2>/dev/null; is $? 0 "standard input: ends with it"
like "$(cat told)" 'wall failure' "and is judged whole"

watch() { # ARGUMENTS: in the background, until it watches
    : >told; : >"$work/err"
    "$LIMPET" log watch "$@" >told 2>"$work/err" &
    watcher=$!
    within 20 grep -q 'watching' "$work/err"
}
unwatch() { local code; kill -TERM $watcher; wait $watcher; code=$?; watcher=; return $code; }

# Ended and begun again, watch goes on where it stopped, through what was rotated meanwhile.
rounds 0 300 >app.log
watch -m app.model app.log; unwatch
ok "$(test -s app.model.places; echo $?)" "where the logs were left is kept beside the model"
{ rounds 300 310; echo 'Jan  1 10:00:00 box lamp: lamp failure'; rounds 310 312; } >>app.log
mv app.log app.log.1; sleep 0.02
{ rounds 312 320; echo 'Jan  1 10:00:00 box door: door failure'; rounds 320 322; } >app.log
mv app.log.1 app.log.2; mv app.log app.log.1; sleep 0.02
{ rounds 322 330; echo 'Jan  1 10:00:00 box floor: floor failure'; rounds 330 332; } >app.log
watch -m app.model app.log
within 10 told 'floor failure'; ok $? "what came while nobody watched is judged"
{ rounds 332 333; echo 'Jan  1 10:00:00 box window: window failure'; rounds 333 336; } >>app.log
within 10 told 'window failure'; ok $? "and what comes then"
kill -KILL $watcher; wait $watcher 2>/dev/null; watcher=
is "$(grep -o '`[a-z]* failure' told | sort | tr -d '`' | uniq -c | tr -s ' \n' ' ')" \
    " 1 door failure 1 floor failure 1 lamp failure 1 window failure " "each once, from three files"
watch -m app.model app.log
within 10 told 'window failure'; ok $? "killed, it judges again what came since it saved"
unwatch
rounds 336 340 >app.log # cut, and written anew
watch -m app.model app.log; unwatch
like "$(cat "$work/err")" 'app.log: what came behind byte [0-9]+ was not seen: it was cut' "what cannot be read any more is said"
echo x >>app.model.places
timeout 10 "$LIMPET" log watch -m app.model - </dev/null 2>"$work/err"; is $? 0 "damaged places are no reason not to watch"
like "$(cat "$work/err")" "app.model.places: the model's checksum does not fit" "and said"

# The journal: a real one, of another machine, made from its export form and read by journalctl.
remote=/lib/systemd/systemd-journal-remote
entry() { # MINUTE MILLISECOND TAG TEXT
    local at=$((1700000000000000 + $1 * 60000000 + $2 * 1000))
    printf '__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032d\n' $at $((at - 1699999999000000)) 7
    printf 'SYSLOG_IDENTIFIER=%s\nPRIORITY=6\nMESSAGE=%s\n\n' "$3" "$4"
}
entries() { # FIRST END
    local i
    for ((i = $1; i < $2; i++)); do
        entry $i 0 sshd "session opened $i"; entry $i 1 app "work $i"; entry $i 2 sshd "session closed $i"
    done
}
if [ -x $remote ] && command -v journalctl >/dev/null; then
    mkdir box
    { entries 0 400; entry 400 0 kernel 'disk one on fire'; entries 401 410; } | $remote -o "$work/box/a.journal" - 2>"$work/err"; is $? 0 "a journal is made"
    watch --journal="$work/box" --from-start -m journal.model -o json
    within 20 told 'disk one on fire'; ok $? "it is followed"
    child=$(pgrep -P $watcher)
    unwatch; is $? 0 "until SIGTERM"
    is "$(jq -r '[.source, .tag, .text] | join(" ")' told)" "journal kernel disk one on fire" "and judged"
    ok "$([ -n "$child" ] && ! [ -e "/proc/$child" ]; echo $?)" "journalctl ends with it"
    { entries 410 420; entry 420 0 kernel 'disk two on fire'; entries 421 430; } | $remote -o "$work/box/b.journal" - 2>"$work/err"
    watch --journal="$work/box" -m journal.model -o json
    within 20 told 'disk two on fire'; ok $? "begun again, it goes on behind the entry it saw last"
    unwatch
    is "$(grep -c 'disk one' told)" 0 "and tells nothing twice"
    watch --journal="$work/box/a.journal" --from-start --fail
    within 20 told "disk one"; unwatch; is $? 1 "one file of a journal"
else
    ok 0 "the journal # SKIP no systemd-journal-remote to make one with"
fi
lp log watch --journal="$work/nowhere" 2>"$work/err"; is $? 2 "a journal that is not there is bad input"
like "$(cat "$work/err")" 'nowhere: No such file' "and named"
mkdir bin
printf '#!/bin/sh\nexit 3\n' >bin/journalctl; chmod +x bin/journalctl
PATH=$work/bin:$PATH timeout 10 "$LIMPET" log watch --journal >/dev/null 2>"$work/err"; is $? 1 "a journal that cannot be read is a failure"
like "$(cat "$work/err")" 'journalctl ended with 3' "and said"

finish
