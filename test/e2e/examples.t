#!/usr/bin/env bash
# The examples that need no image but this machine's root do what their first lines say.
. "$(dirname "$0")/tap.sh"
command -v haproxy >/dev/null || skip_all 'haproxy is missing'
examples=$here/../../examples
before=$(machine)

# The ports are the examples' own: take others, so that nothing on this machine is in the way.
lb=$(free_port)
sed "s/127.0.0.1:8081:/127.0.0.1:$lb:/" "$examples/replicated-web.yaml" >"$work/web.yaml"
lp up "$work/web.yaml" --wait=60 >/dev/null
is $? 0 "replicated-web comes up"
visitors() { for _ in 1 2 3 4 5 6 7 8; do curl -s -m 10 "http://127.0.0.1:$lb/"; done | sort -u | tr '\n' ' '; }
three() { [ "$(visitors)" = 'web-1 of replicated web-2 of replicated web-3 of replicated ' ]; }
within 5 three; ok $? "three web nodes answer in turn"
lp scale web=4 >/dev/null
within 15 sh -c "for _ in 1 2 3 4 5 6 7 8; do curl -s -m 10 http://127.0.0.1:$lb/; done | grep -q web-4"
ok $? "a fourth is taken in by a reload"
is "$(field lb-1 restarts)" 0 "without a restart of the load balancer"
lp scale web=1 >/dev/null
within 20 sh -c "test \"\$(for _ in 1 2 3 4; do curl -s -m 10 http://127.0.0.1:$lb/; done | sort -u)\" = 'web-1 of replicated'"
ok $? "scaled in, only one is left"

lp up "$examples/job.yaml" --wait=60 >/dev/null
is $? 0 "the job comes up"
is "$(field count-1 health)" completed "and is completed"
is "$(lp logs count 2>/dev/null | sed 's/.*| //' | tr '\n' ' ')" "one two " "its steps ran in order"
lp up "$examples/job.yaml" --wait=60 >/dev/null
is "$(lp logs count 2>/dev/null | wc -l)" 2 "and never twice"
for file in "$examples"/*.yaml; do
    lp check "$file" >/dev/null
    is $? 0 "$(basename "$file") is right"
done
finish
