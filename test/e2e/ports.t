#!/usr/bin/env bash
# Published ports: by IPv4 and IPv6, TCP and UDP; one that somebody else has is told wherever a
# person looks, and published as soon as it is free.
. "$(dirname "$0")/tap.sh"
before=$(machine)
both=$(free_port) six=$(free_port) busy=$(free_port) udp=$(free_port) slow=$(free_port)
cat >"$work/p.yaml" <<Y
name: ports
services:
  web:
    image: host
    command: [busybox, httpd, -f, -p, "80", -h, /etc]
    healthcheck: {test: [TCP, 80], interval: 1s}
    ports: ["$both:80", "[::1]:$six:80", "127.0.0.1:$busy:80"]
  echo:
    image: host
    command:
      - python3
      - -c
      - |
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("0.0.0.0", 9))
        while True:
            data, peer = s.recvfrom(9000)
            s.sendto(data.upper(), peer)
    ports: ["$udp:9/udp"]
  slow: # takes nothing until it is told to; one connection waits in its queue
    image: host
    command:
      - python3
      - -c
      - |
        import os, socket, time
        s = socket.socket()
        s.bind(("0.0.0.0", 80))
        s.listen(0)
        while not os.path.exists("/tmp/go"):
            time.sleep(0.02)
        while True:
            one, peer = s.accept()
            one.recv(9000)
            one.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            one.close()
    ports: ["$slow:80"]
Y
[ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6
has_ipv6=$?
python3 -c "import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $busy)); s.listen(); time.sleep(600)" &
holder=$!
within 5 grep -qi "$(printf '0100007F:%04X 00000000:0000 0A' "$busy")" /proc/net/tcp
out=$(lp up "$work/p.yaml" --wait=60 2>&1); is $? 3 "up with a port that somebody has: exit code 3"
like "$out" "port $busy \(tcp on 127.0.0.1\) cannot be published: python3 \(pid $holder\) has it" "says which, and who has it"
like "$out" "web answers at http://localhost:$both/" "and where the others answer"
is "$(grep -c "answers at.*$busy" <<<"$out")" 0 "not at the one that is not published"
out=$(lp status)
like "$out" "127.0.0.1:$busy->80 \(not published\)" "status marks it"
like "$out" "^  port $busy .*python3" "and says why"
like "$(lp status -o json | jq -r '.[0].trouble')" "port $busy" "-o json has it"
is "$(curl -s --unix-socket "$root/limpet.sock" http://limpet/v1/services | jq -r '.[].unpublished[]')" "127.0.0.1:$busy->80" "so has the interface"
kill $holder; wait $holder 2>/dev/null
free() { [ "$(lp status -o json | jq -r '.[0].trouble')" = null ]; }
within 10 free; ok $? "once it is free it is published"
code() { curl -s -g -m 10 -o /dev/null -w '%{http_code}' "$1"; }
is "$(code "http://127.0.0.1:$busy/hostname")" 200 "and answers"
is "$(code "http://127.0.0.1:$both/hostname")" 200 "a port without an address answers by IPv4"
if [ "$has_ipv6" = 0 ]; then
    is "$(code "http://[::1]:$both/hostname")" 200 "and by IPv6"
    is "$(code "http://[::1]:$six/hostname")" 200 "a port of an IPv6 address answers there"
    is "$(code "http://127.0.0.1:$six/hostname")" 000 "and nowhere else"
else
    ok 0 "by IPv6 # SKIP this machine has no IPv6"
fi
for _ in 1 2 3 4; do code "http://127.0.0.1:$slow/" >>"$work/slow" & asked="${asked:-} $!"; done
sleep 1.5
lp exec slow-1 touch /tmp/go
# shellcheck disable=SC2086
wait $asked
is "$(cat "$work/slow")" 200200200200 "a node that is slow to take connections is waited for"
ask_udp() { # FAMILY ADDRESS
    python3 -c "import socket
s = socket.socket(socket.$1, socket.SOCK_DGRAM); s.settimeout(3)
for i in range(10):
    s.sendto(b'ping', ('$2', $udp))
    try: print(s.recv(99).decode()); break
    except OSError: pass"
}
is "$(ask_udp AF_INET 127.0.0.1)" PING "UDP by IPv4"
[ "$has_ipv6" = 0 ] && is "$(ask_udp AF_INET6 ::1)" PING "UDP by IPv6"
lp up "$work/p.yaml" --wait=60 >/dev/null 2>&1; is $? 0 "up again: all is well"
lp down ports >/dev/null; is $? 0 "down"
finish
