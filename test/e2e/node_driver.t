#!/usr/bin/env bash
# The container driver by itself: begun twice, killed, out of memory, frozen, adopted, removed; and
# the machine is afterwards what it was.
. "$(dirname "$0")/tap.sh"
drive=${DRIVE_NODE:-$(dirname "$LIMPET")/test/drive_node}
[ -x "$drive" ] || skip_all "$drive is not built"
before=$(machine)
image=$work/image
mkdir -p "$image"/{bin,etc,proc,sys,dev,tmp,root,run}
cp "$(command -v busybox)" "$image/bin/busybox"
for applet in sh cat dd httpd; do ln -s busybox "$image/bin/$applet"; done
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$image/etc/passwd"
chmod 711 "$work"
mkdir -m 700 -p "$root"
printf 'd21fe000\n' >"$root/id"
output=$("$drive" "$root" "$image" all 2>&1)
status=$?
while IFS= read -r line; do
    case $line in
    ok\ *) ok 0 "${line#ok * - }" ;;
    not\ ok\ *) ok 1 "${line#not ok * - }" ;;
    1..*) ;;
    *) echo "# ${line#\# }" ;;
    esac
done <<<"$output"
is "$status" 0 "the driver's own tests end well"
is "$(find "$image" -newer "$root/id" -type f)" "" "the image is untouched"
is "$(ls -A "$root" | grep -c crun)" 0 "crun keeps nothing"
rm -rf "$root/volumes"
finish
