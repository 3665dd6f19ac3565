#!/usr/bin/env bash
# tools/check-e2e lets nobody skip the container tests where they could run: this machine's own
# doctor is asked, and doctors that say otherwise.
. "$(dirname "$0")/tap.sh"
check=$here/../../tools/check-e2e
mkdir "$work/t"
test_of() { printf '#!/bin/sh\n%s\n' "$2" >"$work/t/$1.t"; chmod +x "$work/t/$1.t"; }
doctor_of() { # NAME JSON: a limpet whose doctor says that
    printf '#!/bin/sh\ncat <<J\n%s\nJ\n' "$2" >"$work/$1"
    chmod +x "$work/$1"
}
test_of skipped "echo '1..0 # SKIP crun is missing'"
test_of one "echo 'ok 1 - a node # SKIP no crun'; echo 'ok 2 - b'; echo 1..2"
test_of lacking "echo 'ok 1 - by IPv6 # SKIP this machine has no IPv6'; echo 1..1"
test_of whole "echo 'ok 1 - a'; echo 1..1"
test_of broken "echo 'ok 1 - a'; echo 1..2"
doctor_of can '[{"name": "crun", "needed": true, "ok": true}, {"name": "kvm", "needed": false, "ok": false}]'
doctor_of cannot '[{"name": "crun", "needed": true, "ok": false}]'
doctor_of silent ''
doctor_of empty '[]'
verdict() { # LIMPET TEST: exit status and the line of figures
    LIMPET=$1 "$check" "$work/t/$2.t" >"$work/out" 2>&1 </dev/null
    echo "$? $(tail -n 1 "$work/out")"
}
is "$(verdict "$work/can" skipped)" "1 0 passed, 1 failed, 1 skipped" "a whole file skipped although containers run: a failure"
like "$(cat "$work/out")" '^not ok: container tests were skipped although doctor' "which is said"
is "$(verdict "$work/can" one)" "1 1 passed, 1 failed, 1 skipped" "a single test, too"
is "$(verdict "$work/cannot" skipped)" "0 0 passed, 0 failed, 1 skipped" "where they do not run it is none"
is "$(verdict "$work/silent" skipped)" "1 0 passed, 1 failed, 1 skipped" "a doctor that says nothing is no excuse"
is "$(verdict "$work/empty" skipped)" "1 0 passed, 1 failed, 1 skipped" "nor one that looks at nothing"
is "$(verdict "$work/can" lacking)" "0 0 passed, 0 failed, 1 skipped" "IPv6 is no matter of containers"
is "$(verdict "$work/can" whole)" "0 1 passed, 0 failed, 0 skipped" "nothing skipped: all is well"
is "$(verdict "$work/can" broken)" "1 1 passed, 1 failed, 0 skipped" "a test that ends too early fails"
able=$("$LIMPET" doctor -o json | jq 'map(select(.needed)) | all(.ok)')
is "$(verdict "$(realpath "$LIMPET")" skipped)" "$([ "$able" = true ] && echo '1 0 passed, 1' || echo '0 0 passed, 0') failed, 1 skipped" "with the real doctor"
echo "1..$tests"
exit $((failures > 0))
