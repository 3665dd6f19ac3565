#!/usr/bin/env bash
# limpet experiment, as it is used: what is wrong in a file is told before anything is touched; what
# was run is listed, shown, reported; completion.
. "$(dirname "$0")/tap.sh"
before=$(machine)
experiments=$here/../../experiments
cd "$work" || exit 1

for file in "$experiments"/*.yaml; do
    verb=(experiment check)
    grep -q '^services:' "$file" && verb=(check) # a descriptor
    lp "${verb[@]}" "$file" >/dev/null || bad+=" $(basename "$file")"
done
is "${bad:-}" "" "every file that is shipped is right"
is "$(lp experiment check "$experiments/swizzle.yaml")" "$experiments/swizzle.yaml: Web nodes stopped and restored in random orders" "check tells the title"
is "$(lp experiment check -o json "$experiments/swizzle.yaml" | jq -r '.load.service')" lb "with -o json the whole of it"

wrong() { # WORDS LINES: refused with them
    printf '%b' "$2" >wrong.yaml
    out=$(lp experiment run wrong.yaml 2>&1)
    is $? 2 "exit code 2"
    like "$out" "^wrong.yaml:$1" "told: $1"
}
t='title: t\n' s='steady_state: [{ping: 127.0.0.1}]\n' i="infrastructure: $experiments/replicated-web.yaml\n"
wrong "1:1: the file is empty" ''
wrong "2:1: not valid YAML" 'title: [t\n'
wrong "1:1: an experiment must be a mapping" 'title\n'
wrong "1:1: not UTF-8" '\xff\xfe'
wrong "2:15: at least one check" "${t}steady_state: []\nstages: []\n"
wrong "1:1: 'stages' is missing" "$t$s"
wrong "1:1: 'steady_state' is missing" "${t}stages: []\n"
wrong "3:18: steps must be a list, not a mapping" "$t${s}stages: [{break: {}}]\n"
wrong "3:44: .150%. is not a share" "$t${s}stages: [{break: [{swizzle: web, of_nodes: 150%, fault: pause}]}]\n"
wrong "3:26: .5. is not a duration such as 500ms" "$t${s}stages: [{break: [{wait: 5}]}]\n"
wrong "[0-9:]* 'node wbe-1': there is no node or service 'wbe-1'; did you mean 'web'" "$t${i}steady_state: [{node: wbe-1}]\nstages: []\n"
wrong "[0-9:]* 'node web': no node is ever 'helthy'; did you mean 'healthy'" "$t${i}steady_state: [{node: web, is: helthy}]\nstages: []\n"
wrong "[0-9:]* 'break wep: kill': there is no node or service 'wep'" "$t$i${s}stages: [{break: [{break: wep, fault: kill}]}]\n"
wrong "[0-9:]* 'swizzle web-1: pause': there is no service 'web-1'" "$t$i${s}stages: [{break: [{swizzle: web-1, fault: pause}]}]\n"
wrong "4:[0-9]+: '.*the fault kill is of an application, not of a network" "$t$i${s}stages: [{break: [{break: 'network:default', fault: kill}]}]\n"
for fault in "web/x, fault: kill|web has no application 'x'" "web, fault: oom|no memory limit" "web, fault: disk-full|no volume" \
    "web, fault: clock, jump: 1h|clock: adjustable" "web, fault: cut, peer: bl|'bl' as a peer" "web, fault: cut, network: x|no network 'x'" \
    "web-1, fault: cut, select: 1|nothing to select" "limpet, fault: cut|not one of Limpet itself"; do
    wrong "4:[0-9]+: '.*${fault#*|}" "$t$i${s}stages: [{break: [{break: ${fault%%|*}}]}]\n"
done
wrong "3:[0-9]+: 'tcp.*: no port is published by 'web'" "$t${i}steady_state: [{tcp: {service: web}}]\nstages: []\n"
wrong "3:[0-9]+: 'metric.*did you mean 'nodes'" "$t${i}steady_state: [{metric: node, service: web, least: 1}]\nstages: []\n"
wrong "[0-9:]* 'heal x': there is no node or service 'x'" "$t$i${s}stages: [{break: []}, {heal: [{heal: x}]}]\n"
wrong "[0-9:]* 'load': there is no service 'bl'; did you mean 'lb'" "$t$i${s}load: {service: bl, rate: 1, for: 1s}\nstages: []\n"
wrong "[0-9:]* 'a': the report has no figure 'to_repare_us'; did you mean 'to_repair_us'" "$t${s}stages: []\nreference: [{what: a, value: b, source: c, figure: to_repare_us}]\n"
printf '%b' "${t}infrastrcture: x\nsteady_state: [{htpp: {service: lb}}]\nstages:\n  - break:\n      - {break: web-1, fault: krash, for: ever}\n      - {wait: soon}\n" >wrong.yaml
out=$(lp experiment run wrong.yaml 2>&1); is $? 2 "several mistakes"
for what in "2:1: unknown key 'infrastrcture'.*did you mean 'infrastructure'" "3:16: a check has one of.*did you mean 'http'" \
    '6:[0-9]+: a fault of an experiment has an end' "7:16: 'soon' is not a duration"; do
    like "$out" "wrong.yaml:$what" "all of them at once: ${what%%:*}"
done
printf '%b' "${t}infrastructure: nowhere.yaml\n${s}stages: []\n" >wrong.yaml
out=$(lp experiment check wrong.yaml 2>&1); is $? 2 "a descriptor that is not there"
like "$out" "nowhere.yaml: No such file" "is told"
printf 'name: x\nservices: {web: {imgae: host}}\n' >nowhere.yaml
like "$(lp experiment check wrong.yaml 2>&1)" "nowhere.yaml:2:18: unknown key 'imgae'" "its own mistakes, too"
out=$(lp experiment run missing.yaml 2>&1); is $? 2 "a file that is not there"
like "$out" "missing.yaml: No such file" "is told"
for words in "rnu x|did you mean 'run'" "run|usage: limpet experiment run FILE" "run --set X $experiments/swizzle.yaml|NAME=VALUE is wanted" \
    "run --seed x $experiments/swizzle.yaml|--seed: 'x' is not a number" "run --repeat 0 $experiments/swizzle.yaml|--repeat: '0' is not a number"; do
    # shellcheck disable=SC2086
    out=$(lp experiment ${words%%|*} 2>&1); is $? 2 "exit code 2: ${words%%|*}"
    like "$out" "${words#*|}" "with the reason"
done
ok "$(test ! -e "$root"; echo $?)" "all of this has made no root"
out=$(lp experiment show nothing 2>&1); is $? 1 "show of what was not run"
like "$out" "there is no experiment 'nothing'.*experiment list" "says where to look"
is "$(lp experiment list -o json)" "[]" "nothing was run yet"

# One that needs no infrastructure: below the working folder, as no Limpet lives here.
printf '%b' "title: Nothing much\nsteady_state: [{ping: 127.0.0.1, for: 1ms}]\nstages: [{break: [{name: first, exec: [echo, done]}], checks: [{ping: 127.0.0.1}]}]\nrepeat: 2\n" >small.yaml
out=$(lp experiment run small.yaml -o json --journal journal.json 2>/dev/null); is "$?$(jq -r .status <<<"$out")" 0passed "run -o json prints the result"
id=$(jq -r .id <<<"$out")
like "$(lp experiment list)" "^$id +passed +2 .*Nothing much" "list"
is "$(lp experiment list -o json | jq -r '.[] | .id, .status, has("runs")' | paste -sd' ')" "$id passed false" "list -o json, without the runs"
is "$(lp experiment show -o json | jq -S .)" "$(jq -S . <<<"$out")" "show -o json: the latest, whole"
like "$(lp experiment show "$id")" 'first +done .* done$' "show ID: what each step said"
like "$(lp experiment report "$id")" 'Nothing much, 2 runs' "report ID"
is "$(lp experiment report "$id" "limpet-experiments/$id/result.json" -o json | jq '.groups | length')" 2 "report of an id and of a file"
is "$(jq -r '.status, (.run | length), .run[0].activity.name, ."x-limpet".id' journal.json | paste -sd' ')" "completed 1 first $id" "a journal of Limpet's own dialect"
is "$(lp experiment run -q small.yaml 2>&1)" "" "-q: not a word when all is well"

. "$here/../../completions/limpet.bash"
completed() { COMP_WORDS=("$LIMPET" "$@") COMP_CWORD=$# COMPREPLY=(); _limpet; printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '; }
is "$(completed experiment '')" "check list report run show" "completion: the verbs of experiment"
is "$(completed experiment run s)" "small.yaml" "files for run"
like "$(completed --root "$root" experiment show 2)" "(^| )$id( |$)" "ids for show"
cd / && finish
