#!/usr/bin/env bash
# limpet images: what is kept, who uses it; prune removes what nobody does, and what was removed is
# made again when it is wanted again.
. "$(dirname "$0")/tap.sh"
command -v busybox >/dev/null || skip_all 'busybox is missing'
before=$(machine)
mkdir -p "$work/tree/bin" "$work/tree/proc" "$work/tree/sys" "$work/tree/dev" "$work/tree/tmp" "$work/tree/run" "$work/tree/etc"
cp "$(command -v busybox)" "$work/tree/bin/busybox"
ln -s busybox "$work/tree/bin/sh"
for name in one two; do
    echo $name >"$work/tree/etc/name"
    tar -C "$work/tree" -cf "$work/$name.tar" .
    cat >"$work/$name.yaml" <<Y
name: $name
services:
  web:
    image: $work/$name.tar
    command: [/bin/busybox, sleep, "1000"]
Y
done
ldd "$(command -v busybox)" 2>/dev/null | grep -q '=>' && skip_all 'busybox is not static'
is "$(lp images)" "no images are kept" "before there is anything"
is "$(lp images -o json)" "[]" "as JSON, too"
lp up "$work/one.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up from one tar"
lp up "$work/two.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "and from another"
is "$(lp images -o json | jq -r '[.[].used_by[]] | sort | join(" ")')" "one/web two/web" "who uses which"
like "$(lp images)" "one.tar .*[0-9.]+ MiB .*one/web" "in words"
like "$(lp images prune)" '^0 images removed' "what is used is not removed"
lp down two >/dev/null
like "$(lp images)" "two.tar .* nobody" "after down nobody uses it"
like "$(lp images prune)" '^1 image removed' "prune removes it"
is "$(ls "$root/cache/images" | grep -c '\.json$')" 1 "and no other"
is "$(lp exec --infra one web-1 /bin/busybox cat /etc/name)" one "the other one is intact"
lp up "$work/two.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "the same daemon makes it again when it is wanted"
is "$(lp exec --infra two web-1 /bin/busybox cat /etc/name)" two "from the same tar"
like "$(lp plan "$work/two.yaml")" '[Nn]othing' "and leaves it alone while it is used"
lp images burn >/dev/null 2>&1; is $? 2 "another word is refused"
lp down one >/dev/null; lp down two >/dev/null
lp shutdown >/dev/null
like "$(lp images prune)" '^2 images removed' "without a daemon what is not mounted goes"
finish
