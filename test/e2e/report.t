#!/bin/bash
# The report of an experiment: figures, differences, hostile names, and the page in a real Chromium.
. "$(dirname "$0")/tap.sh"

# One result: NAME FAULT_MS_OR_null; ten seconds of load, second 3 all failed.
result_make() {
    python3 - "$1" "$2" <<'PY'
import json, sys
title, fault = sys.argv[1], json.loads(sys.argv[2])
spread = {"count": 9, "p50_us": 1000, "p99_us": 4000, "p999_us": 9000, "max_us": 9000}
def run(number):
    failed = number * 10 if fault else 0
    series = [{"offered": 100, "failed": failed if i == 3 else 0, "good": 100 - (failed if i == 3 else 0),
               "p50_us": 1000, "p99_us": 4000, "max_us": 9000} for i in range(10)]
    outcome = {"requests": 1000, "good": 1000 - failed, "failed": failed, "delayed": 0,
               "endings": {"not-sent": 0}, "availability_ppm": 1000000 - failed * 1000,
               "availability_seconds_ppm": 900000, "longest_gap_us": 1000000,
               "writes": {"acknowledged_then_lost": 0}, "before": spread, "during": spread,
               "after": spread, "to_detect_us": 5000, "to_repair_us": 20000 if fault else None, "to_full_us": None,
               "series": series}
    outcome["end_us"] = 10000000
    outcome["steps"] = {"step_us": 500000, "rows": [{**series[i // 2], "offered": 50, "good":
        series[i // 2]["good"] // 2, "failed": series[i // 2]["failed"] // 2} for i in range(20)]}
    return {"run": number, "variant": 0, "status": "passed", "reasons": [], "started": 1000,
            "ended": 12000, "stages": [{"kind": "break", "name": title, "started": 2000,
            "ended": 3000, "status": "passed", "steps": [], "checks": [{"name": title,
            "started": 2100, "ended": 2900, "status": "failed", "text": title}]}], "guards": [{"name": title,
            "started": 1100, "ended": 2900, "status": "passed", "text": title}], "faults": [{"target":
            title, "says": title, "asked": 2000, "healed": 2500, "status": title}],
            "events": [{"at": 2500, "record": "event", "sentence": title},
            {"at": 2600, "record": "action", "sentence": "Limpet starts it, because " + title}], "marks": {"fault": fault},
            "load": {"marks": {"fault_us": 3000000 if fault else None, "repaired_us":
            3020000 if fault else None}, "outcome": outcome}}
print(json.dumps({"format": "limpet-experiment", "version": 1, "id": "x", "status": "passed",
    "reasons": [title], "experiment": {"title": title, "file": title, "text": title, "reference": [
    {"what": "repair", "value": "22 s", "source": "S1 " + title, "differs": "VMs", "variant": None, "figure": "to_repair_us"},
    {"what": "nothing of ours", "value": "46 %", "source": "S1", "differs": None, "variant": "other", "figure": "failed"}]},
    "started": 1000, "ended": 12000, "variants": [{"name": title}],
    "runs": [run(number) for number in (1, 2, 3)]}))
PY
}
evil='<script>document.title="owned"</script>"><img src=x onerror=alert(1)> & '"'"
result_make "$evil" 4000 >"$work/a.json"
result_make "without a fault" null >"$work/b.json"

text=$("$LIMPET" experiment report "$work/a.json")
is $? 0 "a result is reported"
like "$text" "requests failed +20 +30 +10 to 30" "over repetitions: median, p95, interval"
like "$text" "good replies +98.000 %" "the share of good replies"
like "$text" "repair: theirs 22 s \(S1 .*, ours 20.00 ms \(time to repair" "figures of others beside ours"
like "$text" "what differs: VMs" "and what differs"
like "$text" "nothing of ours: theirs 46 % \(S1\), ours not measured" "what was not measured is said"
json=$("$LIMPET" experiment report -o json "$work/a.json" "$work/b.json" --html "$work/page.html")
is "$(jq '.differences[0].figures.failed.difference' <<<"$json")" -20 "two results: the difference"
is "$(jq '.groups | length' <<<"$json")" 2 "two results: two groups"
is "$(jq -r '.results[0].reference[] | .ours.median' <<<"$json" | paste -sd' ')" "20000 null" "as JSON, too"
page=$(<"$work/page.html")
like "$page" '<td>repair</td><td>22 s</td><td>20.00 ms' "and on the page"
is "$(grep -ciE '<script|<img|onerror=alert\(1\)>[^&]*$' <<<"${page//&lt;/}" )" 0 "names cannot become markup"
is "$(grep -cE '(src|href)=|url\(|@import' <<<"${page//img src=x/}")" 0 "nothing is loaded from elsewhere"
echo '{"format": "other"}' >"$work/c.json"
"$LIMPET" experiment report "$work/c.json" >"$work/out" 2>&1
is $? 1 "what is no result is refused"

like "$page" '<th scope="row">requests failed</th><td class="n"><span class="value">20</span> <span class="dim">\(10 to 30\)</span></td><td class="n"><span class="value">0</span><br><span class="sure">−20</span> <span class="dim">\(−30 to −10\)</span></td>' \
    "side by side: medians, the difference and its interval"
like "$page" '<th scope="row">time to repair, by the controller, ms</th><td class="n"><span class="value">20.00</span></td><td class="n"><span class="dim">–</span></td>' \
    "what did not happen is not a number"
is "$(grep -c 'viewBox="0 0 540 ' <<<"$page")" 4 "their plots are of one size"
is "$(grep -o 'class="reference" d=' <<<"$page" | wc -l)" 12 "the run without a fault is drawn behind all others, side by side, too"
is "$("$LIMPET" experiment report "$work/b.json" "$work/b.json" -o json | jq -r '.groups[].name' | sort -u)" \
    "without a fault (x)" "two results of one name are told apart by their ids"

browser=$(command -v chromium)
if [ -z "$browser" ]; then
    echo "ok $((++tests)) - the page in a browser # SKIP chromium is not installed"
else
    like "$page" '<title>3.00 s to 3.50 s: 50 offered, 45 good, 5 failed; p50 1.00 ms, p99 4.00 ms</title>' \
        "the plots have the steps that are shorter than a second"
    like "$page" 'class="word failed">struck<' "a guard that struck is not called passed"
    like "$page" '<tr class="deed">.*Limpet starts it, because &lt;script&gt;' "what Limpet did, and why"
    dom=$(timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/chromium" \
        --dump-dom "file://$work/page.html" 2>/dev/null)
    is "$(grep -o '<svg ' <<<"$dom" | wc -l)" 22 "Chromium: throughput, latency and time line of six runs, and two plots of each result side by side"
    like "$dom" 'class="reference"' "Chromium: the reference run is overlaid"
    is "$(grep -c '<script' <<<"$dom")" 0 "Chromium: no script came to be"
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/chromium" \
        --window-size=1000,2000 --screenshot="$work/page.png" "file://$work/page.html" >/dev/null 2>&1
    [ "$(stat -c %s "$work/page.png" 2>/dev/null || echo 0)" -gt 30000 ]
    ok $? "Chromium: the page is not blank"
fi
finish
