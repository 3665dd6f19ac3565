#!/bin/sh
# Core is a function: its library needs nothing from outside but these. usage: test/purity.sh BUILD
set -eu
library=$1/src/core/liblimpet_core.a
allowed='^(memcpy|memset|memcmp|memmove|strlen|lp_rng_[a-z]+|lp_assert_failed|lp_err_set|lp_err_wrap|__stack_chk_fail|__(asan|ubsan)_.*)$'
own=$(mktemp)
trap 'rm -f "$own"' EXIT
nm --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u >"$own"
bad=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u | comm -23 - "$own" | grep -Ev "$allowed" || true)
[ -z "$bad" ] && { echo "core is pure: $(wc -l <"$own") symbols of its own"; exit 0; }
echo "core must not need: $bad"
exit 1
