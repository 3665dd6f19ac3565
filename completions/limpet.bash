# Bash completion of limpet: verbs, options, files, and what runs.

_limpet_options() { # VERB, perhaps with its sub-verb: the options that its --help tells
    "${COMP_WORDS[0]}" $1 --help 2>/dev/null |
        sed -nE 's/^ +(-([a-z]), )?(--[a-z-]+)?.*/-\2 \3/p' | tr ' ' '\n' | grep -E '^-.'
}

_limpet_verbs() {
    "${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p'
}

_limpet_ask() { # VERB...: with the root that is on the command line
    local root=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == --root ]] || continue
        [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++)) # bash parts --root=DIR at its sign
        root=(--root "${COMP_WORDS[i + 1]}")
    done
    timeout 2 "${COMP_WORDS[0]}" "${root[@]}" "$@"
}

# What runs, asked of the daemon.
_limpet_names() { # of: infra, service, node, app; several with commas
    _limpet_ask ps -o json 2>/dev/null | tr '{' '\n' | awk -v want="$1" '
        function value(key) {
            if (!match($0, "\"" key "\":\"[^\"]*\"")) return ""
            return substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
        }
        /"infrastructure":/ {
            node = value("node")
            if (want ~ /infra/) print value("infrastructure")
            if (want ~ /service/) print value("service")
            if (want ~ /node/) print node
            next
        }
        want ~ /app/ && /"name":/ { print node "/" value("name") }' | sort -u
}

_limpet() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' words='' i at=0
    COMPREPLY=()
    if [[ $cur == = || $prev == = ]]; then
        [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
        [[ $cur == = ]] && cur=''
        [[ $prev == -* ]] || return 0 # a number of nodes, a variable
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --root | --infra | -o | --output)
            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
            ((i++))
            ;;
        -*) ;;
        *)
            verb=${COMP_WORDS[i]} at=$i
            break
            ;;
        esac
    done
    case $prev in
    --root)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --infra)
        mapfile -t COMPREPLY < <(compgen -W "$(_limpet_names infra)" -- "$cur")
        return
        ;;
    -o | --output)
        mapfile -t COMPREPLY < <(compgen -W 'json text' -- "$cur")
        return
        ;;
    esac
    if [[ -z $verb ]]; then
        words="--root --infra --output --quiet --no-color --help"
        [[ $cur == -* ]] || words="help $(_limpet_verbs)"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    if [[ $cur == -* ]]; then
        if [[ $verb == log && at+1 -lt COMP_CWORD ]]; then
            verb="log ${COMP_WORDS[at + 1]}"
            [[ $verb == 'log sessions' ]] && verb+=" ${COMP_WORDS[at + 2]}"
        fi
        mapfile -t COMPREPLY < <(compgen -W "$(_limpet_options "$verb")" -- "$cur")
        return
    fi
    case $verb in
    up | plan | check | doctor) mapfile -t COMPREPLY < <(compgen -f -X '!*.y*ml' -- "$cur"; compgen -d -- "$cur") ;;
    down) mapfile -t COMPREPLY < <(compgen -W "$(_limpet_names infra)" -- "$cur"; compgen -f -X '!*.y*ml' -- "$cur") ;;
    ps | status) words=$(_limpet_names infra) ;;
    events | why) words=$(_limpet_names node) ;;
    logs) words=$(_limpet_names node,app,service) ;;
    restart) words=$(_limpet_names node,app,service) ;;
    exec) ((COMP_CWORD == at + 1)) && words=$(_limpet_names node) ;;
    scale)
        words=$(_limpet_names service | sed 's/$/=/')
        compopt -o nospace 2>/dev/null
        ;;
    break)
        case $prev in
        --peer) words=$(_limpet_names node,service) ;;
        --select) words='one all 50%' ;;
        --direction) words='both in out' ;;
        --distribution) words='uniform normal' ;;
        --on) words='all read write sync' ;;
        --*) ;;
        *) if ((COMP_CWORD == at + 1)); then
            words="$(_limpet_names node,app,service) host limpet"
        elif ((COMP_CWORD == at + 2)); then
            words=$("${COMP_WORDS[0]}" faults --kinds 2>/dev/null | awk 'NR > 1 { print $1 }')
        fi ;;
        esac
        ;;
    log)
        words=$("${COMP_WORDS[0]}" log --help 2>/dev/null | sed -nE 's/^  ([a-z]+)( [a-z]+)? +[A-Z].*/\1/p' | sort -u)
        if ((COMP_CWORD == at + 2)) && [[ $prev == sessions ]]; then
            words='train score'
        elif ((COMP_CWORD > at + 1)); then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
        fi
        ;;
    experiment)
        if ((COMP_CWORD == at + 1)); then
            words='run list check show report'
        elif [[ $prev != --* && ${COMP_WORDS[at + 1]} == @(show|report) ]]; then
            words=$(_limpet_ask experiment list 2>/dev/null | awk 'NR > 1 { print $1 }')
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur"; compgen -f -X '!*.json' -- "$cur"; compgen -d -- "$cur")
            return
        elif [[ $prev != --* && ${COMP_WORDS[at + 1]} == @(run|check) ]]; then
            mapfile -t COMPREPLY < <(compgen -f -X '!*.y*ml' -- "$cur"; compgen -f -X '!*.json' -- "$cur"; compgen -d -- "$cur")
            return
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        ;;
    load)
        if [[ $prev == --plan || $prev == --out || ${COMP_WORDS[at + 1]} == show ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
        fi
        words="show $(_limpet_names service)"
        ;;
    heal) words="$(_limpet_ask faults 2>/dev/null | awk '/^f[0-9]/ { print $1 }')
            $(_limpet_names node,app,service) host limpet" ;;
    images) words=prune ;;
    help) words=$(_limpet_verbs) ;;
    esac
    [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    return 0
}

complete -F _limpet limpet
