#!/usr/bin/env bash
# Images of Debian packages: one base for all recipes, and a rebuild without any network that gives
# the same versions. Fetches packages from this machine's own sources once (half a minute).
. "$(dirname "$0")/tap.sh"
drive=${DRIVE_IMAGE:-$(dirname "$LIMPET")/test/drive_image}
[ -x "$drive" ] || skip_all "$drive is not built"
command -v mmdebstrap >/dev/null || skip_all 'mmdebstrap is missing'
apt-get -q update >/dev/null 2>&1 && apt-get -q download --print-uris haproxy >/dev/null 2>&1 ||
    skip_all 'the package sources of this machine cannot be reached'
before=$(machine)
mkdir -m 700 "$root"
cd "$work" || exit 1
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
cat >images.yaml <<Y
name: images
x-one: &one {command: [sleep, "1"]}
services:
  door: {<<: *one, build: {base: "debian:$suite", packages: [haproxy]}}
  tool: {<<: *one, build: {base: "debian:$suite", packages: [busybox], run: [busybox true]}}
  new: {<<: *one, build: {base: "debian:$suite", packages: [jq]}}
  wrong: {<<: *one, build: {base: "debian:$suite", packages: [no-such-package-at-all]}}
Y
out=$("$drive" "$root" images.yaml door tool)
is $? 0 "two recipes upon one base"
is "$(grep -c 'making the base' <<<"$out")" 1 "the base is made once"
like "$out" 'progress 0 .*step 2/2: installing [0-9]+ packages' "progress tells how many packages"
door=$(sed -n 's/^ready 0 //p' <<<"$out" | head -n 1)
"$door/usr/sbin/haproxy" -v >/dev/null 2>&1 || chroot "$door" /usr/sbin/haproxy -v >/dev/null
is $? 0 "what was installed runs"
like "$(chroot "$door" getent passwd haproxy)" '^haproxy:' "its user is there"
versions=$(jq -S -c .packages "$door.json")
like "$versions" '"haproxy":"[0-9]' "the mark lists packages and versions"
[ "$(jq .size_kib "$door.json")" -gt 50000 ]; ok $? "and the size"
is "$(ls -A "$door/.limpet" "$door/usr/sbin/policy-rc.d" "$door/etc/resolv.conf" 2>/dev/null)" "" \
    "nothing that only the build needed is left"

rm -rf "$root/cache/images"
unshare --net "$drive" "$root" images.yaml door tool >out 2>&1
is $? 0 "both are built again without a network"
is "$(jq -S -c .packages "$door.json")" "$versions" "with the same versions"
is "$(grep -c 'making the base\|reading package lists' out)" 0 "from the cache alone"
unshare --net "$drive" "$root" images.yaml new >out 2>&1
is $? 1 "packages that were never fetched cannot be had so"
like "$(cat out)" '^failed 0 .*(fetch|resolv)' "which is said"

start=$(date +%s%N)
out=$("$drive" "$root" images.yaml door tool)
took=$((($(date +%s%N) - start) / 1000000))
is "$? $(grep -c progress <<<"$out")" "0 0" "then both are ready at once"
echo "# $took ms"
out=$("$drive" "$root" images.yaml wrong)
like "$out" '^failed 0 .*no-such-package-at-all' "a package that does not exist is named"
finish
