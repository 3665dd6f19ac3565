#!/usr/bin/env bash
# A node is taken down, or its daemon is killed, while crun is still making it. crun's worker is in a
# session of its own: it must not go on when the crun that was started is dead.
. "$(dirname "$0")/tap.sh"
before=$(machine)
cat >"$work/half.yaml" <<'Y'
name: half
services:
  web:
    image: host
    command: [sleep, "1000"]
Y
nice -n 19 "$LIMPET" --root "$root" daemon --background >/dev/null # crun is slower than who looks for it
# Stops the worker of the next crun of this root, and prints its pid; nothing when it was too late.
worker_stop() {
    nice -n -10 python3 - "$root" <<'P'
import os, signal, sys, time
end, others = time.monotonic() + 2, set(os.listdir("/proc"))
while time.monotonic() < end:
    for pid in sorted(set(os.listdir("/proc")) - others):
        try:
            words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
            if words[0] != b"crun" or not any(w.startswith(sys.argv[1].encode()) for w in words):
                continue
            facts = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            if facts[3] == open(f"/proc/{facts[1]}/stat").read().rsplit(")", 1)[1].split()[3]:
                continue # in the session of its parent: the first one
            os.kill(int(pid), signal.SIGSTOP)
            time.sleep(0.02)
            if open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T":
                print(pid)
                sys.exit()
        except (OSError, IndexError):
            pass
P
}
lives() { [ -n "$(cat "/proc/$1/cmdline" 2>/dev/null | tr -d "\0")" ]; }
left() { find /sys/fs/cgroup -type d -path "*limpet-$(cat "$root/id")/half*" 2>/dev/null; }
half_made() { # until a worker is stopped in the midst of its work
    for _ in $(seq 30); do
        worker_stop >"$work/worker" &
        sleep 0.1
        lp up "$work/half.yaml" --detach >/dev/null
        wait $!
        worker=$(cat "$work/worker")
        [ -n "$worker" ] && return
        lp down half >/dev/null
    done
    return 1
}

half_made; ok $? "crun is stopped while it makes a node"
lp down half >/dev/null; is $? 0 "down does not wait for it"
! lives "$worker"; ok $? "and leaves no worker of crun behind"
kill -CONT "$worker" 2>/dev/null
within 1 eval '[ -z "$(left)" ]'; is "$(left)" "" "nor cgroups"

half_made; ok $? "crun is stopped again"
kill -9 "$(cat "$root/lock")"
lp up "$work/half.yaml" --wait=30 >/dev/null; is $? 0 "the daemon is killed; the next one brings the node up"
kill -CONT "$worker" 2>/dev/null # one that had done its work may end by itself
within 5 eval '! lives "$worker"'; ok $? "the worker is gone"

# A daemon that finds a dead node of which processes are left ends them, and begins anew.
kill -9 "$(cat "$root/lock")"
group=$(find /sys/fs/cgroup -path "*limpet-$(cat "$root/id")/half/web-1/cgroup.procs" | head -n 1)
for _ in $(seq 20); do
    sh -c "echo 0 >$group; exec sleep 1000" & disown
done
within 5 eval '[ "$(wc -l <"$group")" -ge 21 ]'; ok $? "there is more than one process in the node's cgroup"
kill -9 "$(cat "$root/nodes/half/web-1/pid")"
lp up "$work/half.yaml" --wait=30 >/dev/null; is $? 0 "the next daemon brings the node up again"
finish
