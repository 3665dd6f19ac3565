#!/usr/bin/env bash
# Two infrastructures cannot see each other; a node is hardened.
. "$(dirname "$0")/tap.sh"
before=$(machine)
# A small image of our own: busybox in a folder.
image=$work/image
mkdir -p "$image"/{bin,etc,proc,sys,dev,tmp,root,usr,var,run}
cp "$(command -v busybox)" "$image/bin/busybox"
for applet in sh cat ls id sleep wget mount touch httpd nc grep stat; do ln -s busybox "$image/bin/$applet"; done
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$image/etc/passwd"
printf 'root:x:0:\n' >"$image/etc/group"
for name in one two; do
    cat >"$work/$name.yaml" <<Y
name: $name
services:
  web:
    image: $image
    command: [httpd, -f, -p, "80", -h, /etc]
    secrets: [key]
secrets:
  key: {environment: SECRET_KEY}
Y
    SECRET_KEY=hunter2-$name lp up "$work/$name.yaml" --wait=60 >/dev/null 2>&1
    is $? 0 "up $name"
done
address=$(lp ps two -o json | jq -r '.[0].address')
is "$(lp exec --infra one web-1 wget -q -O - http://web-1/passwd | head -c 4)" root "a node reaches its own infrastructure"
timeout 3 "$LIMPET" --root "$root" exec --infra one web-1 wget -q -O - "http://$address/passwd" >/dev/null 2>&1; [ $? != 0 ]
ok $? "and not the other one's ($address)"
status=$(lp exec --infra one web-1 cat /proc/self/status)
like "$status" '^NoNewPrivs:[[:space:]]1' "no new privileges"
like "$status" '^Seccomp:[[:space:]]2' "seccomp filter in force"
like "$status" '^CapEff:[[:space:]]00000000[0-9a-f]{8}$' "few capabilities: $(grep CapEff <<<"$status")"
is "$(lp exec --infra one web-1 cat /proc/self/uid_map | tr -s ' ')" " 0 100000 65536" "root of the node is not root of the host"
is "$(lp exec --infra one web-1 sh -c 'touch /etc/written && stat -c %u /etc/written')" 0 "its root file system is its own"
test ! -e "$image/etc/written"; ok $? "and the image stays as it was"
lp exec --infra one web-1 mount -t tmpfs none /tmp >/dev/null 2>&1; [ $? != 0 ]; ok $? "mount is refused"
is "$(lp exec --infra one web-1 sh -c 'echo 1 > /proc/sys/kernel/panic' >/dev/null 2>&1; echo $?)" 1 "kernel settings are read-only"
is "$(lp exec --infra one web-1 cat /run/secrets/key)" hunter2-one "the secret is where Compose puts it"
is "$(grep -rl hunter2 "$root" --include=journal.db* --include=daemon.log --include=*.json 2>/dev/null)" "" "and not in journal, log or mark"
is "$(pgrep -af hunter2 | grep -v pgrep)" "" "nor in a process title"
is "$(stat -c %a "$root")" 700 "the root folder is closed to others"
cat >"$work/host.yaml" <<Y
name: hosty
services:
  s: {image: host, command: [sleep, "1000"]}
Y
lp up "$work/host.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up hosty"
is "$(lp exec --infra hosty s-1 cat /etc/shadow 2>/dev/null | head -c 4)" "" "image host: the host's password hashes are masked"
is "$(lp exec --infra hosty s-1 sh -c 'touch /usr/x' >/dev/null 2>&1; test -e /usr/x; echo $?)" 1 "and the host's files stay as they are"
finish
