#!/usr/bin/env bash
# In the guest of test/vm/run only: Limpet as a service of systemd, limits in cgroup version 2, swap.
# Leaves its nodes up, for rebooted.t.
. "$(dirname "$0")/../e2e/tap.sh"
[ "$(cat /etc/hostname)" = limpet-vm ] && [ -d /limpet/install ] || skip_all 'for the guest of test/vm/run'
cp -a /limpet/install/. /
LIMPET=/usr/local/sbin/limpet
root=/var/lib/limpet
lp() { "$LIMPET" "$@"; }
trap 'rm -rf "$work"' EXIT # what runs is to go on
service() { systemctl show -p "$1" --value limpet; }
group() { echo "/sys/fs/cgroup/limpet-$(cat $root/id)/guest/$1"; }
limit() { cat "$(group "$1")/$2"; }
processes() { cat "$(group web-1)/cgroup.procs" "$(group db-1)/cgroup.procs" | sort -n | paste -sd' '; }
grows() { [ "$(sed -n 's/^nr_throttled //p' "$(group web-1)/cpu.stat")" -gt "$1" ]; }
limits() {
    local file
    for file in memory.max memory.swap.max cpu.max pids.max; do limit web-1 $file; done | paste -sd' '
}
is "$(stat -f -c %T /sys/fs/cgroup)" cgroup2fs "cgroups are of version 2"
is "$(ps -o comm= 1)" systemd "systemd is the first process"
null=$(stat -c '%u %g %a' /dev/null)

systemctl daemon-reload
systemctl --quiet enable limpet
systemctl start limpet
lp status -o json >/dev/null
is $? 0 "what is typed after systemctl start finds the daemon"
mkdir -p /etc/limpet-test
cat >/etc/limpet-test/guest.yaml <<Y
name: guest
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /etc]
    healthcheck: {test: [HTTP, "http://localhost/hostname"], interval: 1s, timeout: 5s, retries: 3}
    deploy: {resources: {limits: {memory: 64M, cpus: "0.2", pids: 40}}}
    ports: ["127.0.0.1:8099:80"]
  db:
    image: host
    command:
      - sh
      - -c
      - |
        echo start >>/data/lives
        trap 'sleep 1; echo end >>/data/lives; sync; exit' TERM
        sleep 100000 & wait
    volumes: ["kept:/data:faults"]
  all:
    image: host
    privileged: true
    command: [sleep, "100000"]
volumes: {kept: {}}
Y
lp up /etc/limpet-test/guest.yaml --wait=120 >/dev/null
is $? 0 "three nodes come up"
is "$(limits)" "67108864 0 20000 100000 40" "the limits of one of them, as the kernel has them"
is "$(stat -c '%u %g %a' /dev/null)" "$null" "the machine's /dev/null belongs to whom it belonged"
is $(($(lp exec all-1 sed -n 's/^CapBnd:\t/0x/p' /proc/self/status) >> 25 & 1)) 0 \
    "a privileged node cannot set the clock of the machine"

lp break web-1 cpu --for 60s >/dev/null
is $? 0 "the processor is taken"
within 10 grows "$(sed -n 's/^nr_throttled //p' "$(group web-1)/cpu.stat")"
ok $? "and given within the limit"
lp heal --all >/dev/null
lp break web-1 processes --for 60s >/dev/null
is "$?$(limit web-1 pids.current)" 040 "all processes are taken, and not one more"
lp heal --all >/dev/null
fallocate -l 512M /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap
lp break web-1 oom >/dev/null
is $? 0 "memory runs out"
is "$(limit web-1 memory.swap.current)" 0 "without a byte in the machine's swap"
swapoff /swap && rm /swap
within 10 is_healthy web-1
ok $? "it is well again"
like "$(lp why web-1)" 'killed for lack of memory' "and Limpet knows why it was not"

running=$(processes)
systemctl daemon-reload
systemctl set-property --runtime dbus.service CPUWeight=50 MemoryMax=500M
systemctl revert dbus.service 2>/dev/null
systemctl daemon-reexec
is "$(limits)" "67108864 0 20000 100000 40" "systemd that arranges its own groups leaves the limits alone"
systemctl stop limpet
is "$(systemctl is-active limpet)$(processes)" "inactive$running" "systemctl stop: the nodes run on"
is "$(curl -s -m 30 http://127.0.0.1:8099/hostname)" web-1 "and serve"
systemctl start limpet
within 10 all_healthy 3
is "$(processes)" "$running" "systemctl start: they are adopted"
first=$(service MainPID)
kill -9 "$first"
back() { [ "$(service MainPID)" != "$first" ] && lp status -o json; }
within 10 back
ok $? "a daemon that is killed is started again"
within 10 all_healthy 3
is "$(processes)$(field web-1 restarts)$(field db-1 restarts)" "${running}10" "and finds them as they were"
systemctl stop limpet
kill -9 "$(head -n 1 "$(group db-1)/cgroup.procs")"
systemctl start limpet
within 10 all_healthy 3
is "$(lp exec db-1 cat /data/lives | paste -sd' ')" 'start start' "a node that died meanwhile is started again"
is "$(service NRestarts)$(systemctl is-failed limpet)" 0active "the service is well"
is "$(systemctl --failed --no-legend | wc -l)" 0 "and so is everything else"
echo "1..$tests"
exit $((failures > 0))
