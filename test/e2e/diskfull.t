#!/usr/bin/env bash
# No space left for the journal: a clear error, and all goes on when there is space again.
. "$(dirname "$0")/tap.sh"
before=$(machine)
mkdir -p "$root"
mount -t tmpfs -o size=24m,mode=700 limpet-e2e "$root"
before=$(machine)
cat >"$work/full.yaml" <<Y
name: full
services:
  web: {image: host, command: [sleep, "1000"], deploy: {replicas: 2}}
Y
lp up "$work/full.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up"
dd if=/dev/zero of="$root/ballast" bs=64k >/dev/null 2>&1
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    out=$(lp scale web=3 2>&1) || break
    out=$(lp scale web=2 2>&1) || break
done
like "$out" '[Jj]ournal|disk|space|full' "a request that cannot be journaled is refused: ${out%%$'\n'*}"
timeout 30 "$LIMPET" --root "$root" ps >/dev/null; is $? 0 "the daemon still answers"
rm "$root/ballast"
within 10 lp scale web=1; ok $? "with space again requests are taken"
within 20 all_healthy 1; ok $? "and carried out"
lp down full >/dev/null; is $? 0 "down"
lp shutdown >/dev/null
within 5 test ! -S "$root/limpet.sock"
within 1 is_as_before
is "$(diff <(echo "$before") <(machine))" "" "nothing is left on the machine"
umount "$root"
before=
finish
