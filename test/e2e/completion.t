#!/usr/bin/env bash
# Bash completion, called as bash calls it: verbs, options, files, and the names of what runs.
. "$(dirname "$0")/tap.sh"
before=$(machine)
completions=$here/../../completions/limpet.bash
. "$completions"
completed() { # WORDS...: what the last of them may become, in one line, sorted
    COMP_WORDS=("$LIMPET" "$@") COMP_CWORD=$# COMPREPLY=()
    _limpet
    printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
}
is "$(complete -p limpet)" "complete -F _limpet limpet" "bash is told which function completes limpet"
verbs=$("$LIMPET" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
is "$(completed '')" "$( (echo help; echo "$verbs") | sort | paste -sd ' ')" "every verb"
is "$(completed d)" "daemon doctor down" "verbs by their beginning"
is "$(completed help why)" "why" "the verbs again behind help"
bad=
for verb in $verbs; do
    wanted=$("$LIMPET" "$verb" --help | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' |
        sort | paste -sd ' ')
    [ -n "$wanted" ] && [ "$(completed "$verb" --)" = "$wanted" ] || bad+=" $verb"
done
is "$bad" "" "each verb's options are those of its --help"
is "$(completed -o '')" "json text" "forms of output"
is "$(completed up --output = j)" "json" "also behind an equals sign"
mkdir -p "$work/files/folder"
touch "$work/files/a.yaml" "$work/files/b.yml" "$work/files/c.txt"
for verb in up plan check; do
    is "$(cd "$work/files" && completed "$verb" '')" "a.yaml b.yml folder" "$verb takes descriptors"
done
is "$(completed --root "$root" why '')" "" "nothing runs: no names, no complaint"
ok "$(test ! -e "$root"; echo $?)" "and asking has made no root"

cat >"$work/names.yaml" <<'Y'
name: names
services:
  web: {image: host, command: [sleep, "1000"], deploy: {replicas: 2}}
  db:
    image: host
    applications:
      store: {command: [sleep, "1000"]}
      relay: {command: [sleep, "1000"]}
Y
lp up "$work/names.yaml" --wait=60 >/dev/null; is $? 0 "three nodes are up"
is "$(completed --root "$root" why '')" "db-1 web-1 web-2" "nodes"
is "$(completed --root = "$root" why w)" "web-1 web-2" "of the root, however it is given"
is "$(completed why --root "$root" w)" "web-1 web-2" "and wherever it stands"
is "$(completed --root "$root" exec d)" "db-1" "exec: a node"
is "$(completed --root "$root" exec db-1 '')" "" "and then a command of its own"
is "$(completed --root "$root" restart d)" "db db-1 db-1/relay db-1/store" "services, nodes, applications"
is "$(completed --root "$root" break db-1/)" "db-1/relay db-1/store" "break: applications of a node"
is "$(completed --root "$root" break db-1 '')" "$("$LIMPET" faults --kinds -o json | jq -r '[.[].fault] | sort | join(" ")')" "and what to do to them"
is "$(completed --root "$root" break web-1 cut --peer w)" "web web-1 web-2" "break: values of its options"
is "$(completed --root "$root" break web-1 cut --direction '')" "both in out" "and their words"
lp break web-1 cut >/dev/null
is "$(completed --root "$root" heal f)$(completed --root "$root" heal h)" "f1host" "heal: faults and targets"
lp heal --all >/dev/null
is "$(completed --root "$root" scale '')" "db= web=" "scale: services"
is "$(completed --root "$root" scale web =)$(completed --root "$root" scale web = 2)" "" "no name in place of a number"
is "$(completed --root "$root" down n)" "names" "infrastructures"
is "$(completed --root "$root" --infra '')" "names" "for --infra, too"
lp shutdown >/dev/null
is "$(completed --root "$root" why '')" "" "no daemon: no names"
is "$(completed --root "$root" why '' 2>&1)" "" "and no complaint"
lp daemon --background >/dev/null
finish
