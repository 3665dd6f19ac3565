#!/usr/bin/env bash
# limpet doctor: says what the machine can do, in both forms, and leaves nothing behind.
. "$(dirname "$0")/tap.sh"
json=$(lp doctor -o json)
status=$?
is "$(jq -r 'type + " " + (map(has("name") and has("ok") and has("needed") and has("detail") and has("advice")) | all | tostring)' <<<"$json")" "array true" "an array of objects with its five keys"
is "$(jq -r 'map(select(.needed and (.ok | not))) | length > 0' <<<"$json")" "$([ $status = 1 ] && echo true || echo false)" "it ends with 1 just when something needed does not work ($status)"
is "$(jq -r 'map(select(.ok == (.advice != ""))) | length' <<<"$json")" 0 "there is advice where something does not work, and only there"
like "$(jq -r '.[] | select(.name == "crun") | .detail' <<<"$json")" 'ran a container|not installed|no container' "a container is really run"
like "$(lp doctor)" '^(OK|missing|cannot) +kernel +Linux ' "for people, a line each"
port=$(free_port)
cat >"$work/ports.yaml" <<Y
name: ports
services:
  web: {image: host, command: [sleep, "1"], ports: ["127.0.0.1:$port:80"]}
Y
is "$(lp doctor "$work/ports.yaml" -o json | jq -r ".[] | select(.name == \"port $port/tcp\") | \"\\(.ok) \\(.detail)\"")" "true free" "a published port that is free"
python3 -c "import socket,time; s=socket.create_server(('127.0.0.1', $port)); time.sleep(600)" &
busy=$!
within 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
text=$(lp doctor "$work/ports.yaml" -o json)
is $? 1 "a port that is in use ends with 1"
like "$(jq -r ".[] | select(.name == \"port $port/tcp\") | .detail" <<<"$text")" "in use: python3 \(pid $busy\)" "and says who has it"
kill $busy
wait $busy 2>/dev/null
echo 'services: [' >"$work/wrong.yaml"
lp doctor "$work/wrong.yaml" >/dev/null 2>&1
is $? 2 "a wrong file ends with 2"
lp doctor "$work/absent.yaml" >/dev/null 2>&1
is $? 2 "so does one that is not there"
is "$(machine | grep doctor; find /sys/fs/cgroup /var/tmp -maxdepth 3 -name 'limpet-doctor*' 2>/dev/null; pgrep -f limpet-doctor)" "" "no mount, link, group, file or process of it is left"
finish
