#!/usr/bin/env bash
# In the guest of test/vm/run only, after a reboot: what systemd.t left up is up again by itself.
. "$(dirname "$0")/../e2e/tap.sh"
[ -f /etc/limpet-test/guest.yaml ] || skip_all 'for the guest of test/vm/run, after systemd.t'
LIMPET=/usr/local/sbin/limpet
root=/var/lib/limpet
lp() { "$LIMPET" "$@"; }
trap 'rm -rf "$work"' EXIT # what runs is to go on
# What db-1 wrote in its life before: "end" when it was asked to end, the machine shutting down.
before=$(cat /etc/limpet-test/lives 2>/dev/null || echo start start end)
is_up() { [ "$(systemctl is-active limpet)" = active ]; }
within 30 is_up
ok $? "the service is there after a boot"
within 30 all_healthy 3
ok $? "and so are the nodes"
is "$(lp exec db-1 cat /data/lives | paste -sd' ')" "$before start" \
    "the volume has all that was written while the machine shut down; the node started once more"
echo "$before start" >/etc/limpet-test/lives
within 10 answers http://127.0.0.1:8099/hostname web-1
ok $? "the published port answers"
is "$(lp exec web-1 cat /var/kept 2>/dev/null || lp exec web-1 sh -c 'echo written >/var/kept; sync; echo written')" \
    written "what a node wrote is there"
lp break web-1 delay --delay 5ms --for ever >/dev/null
is $? 0 "a fault of the network can be injected"
lp heal --all >/dev/null
is "$?$(systemctl --failed --no-legend | wc -l)" 00 "and undone; nothing has failed"
echo "1..$tests"
exit $((failures > 0))
