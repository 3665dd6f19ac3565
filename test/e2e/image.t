#!/usr/bin/env bash
# Images by themselves, without a network: folder, tar, OCI layout, recipe; what fails says why;
# a build that is killed leaves nothing that is used.
. "$(dirname "$0")/tap.sh"
drive=${DRIVE_IMAGE:-$(dirname "$LIMPET")/test/drive_image}
[ -x "$drive" ] || skip_all "$drive is not built"
command -v umoci >/dev/null && command -v skopeo >/dev/null || skip_all 'umoci or skopeo is missing'
before=$(machine)
mkdir -m 700 "$root"
cd "$work" || exit 1

mkdir -p base/{bin,etc,tmp,usr/sbin} && chmod 1777 base/tmp
cp "$(command -v busybox)" base/bin/busybox
for applet in sh ls cat ps sleep id; do ln -s busybox "base/bin/$applet"; done
ln -s bin base/sbin
tar -c -f base.tar -C base .
umoci init --layout layout && umoci new --image layout:one
umoci insert --image layout:one base/bin /bin
umoci config --image layout:one --config.cmd /bin/sh --config.env GREETING=hello
cat >images.yaml <<'Y'
name: images
x-one: &one {command: [sleep, "1"]}
services:
  host: {<<: *one, image: host}
  folder: {<<: *one, image: ./base}
  tar: {<<: *one, image: ./base.tar}
  oci: {<<: *one, image: "oci:./layout:one"}
  nowhere: {<<: *one, image: "127.0.0.1:1/nothing:1"}
  built:
    <<: *one
    build:
      base: ./base
      files:
        - {path: /sbin/hello, content: "echo hello\n", mode: 0755}
        - {path: /tmp/deep/er/note, content: "laid\n"}
      run:
        - hello >/made-by-run; ls /dev >/devices; ps >/processes
        - cat /dev/null; echo done >/dev/null; cat /etc/resolv.conf >/resolv || true
  failing:
    <<: *one
    build:
      base: ./base
      run: ["echo fine", "echo the disk is made of cheese; exit 3"]
  slow:
    <<: *one
    build: {base: ./base, run: ["sleep 900"]}
  other: {<<: *one, build: {base: ./base, run: ["sleep 901"]}}
Y
tree() { sed -n "s/^ready $1 //p" <<<"$out" | head -n 1; }

out=$("$drive" "$root" images.yaml host folder)
is $? 0 "the host's root and a folder need no work"
is "$(grep '^ready' <<<"$out" | sort -u | wc -l) $(ls "$root/cache/images" 2>/dev/null | wc -l)" "2 0" "and no place in the cache"

out=$("$drive" "$root" images.yaml tar oci built)
is $? 0 "a tar, an OCI layout and a recipe become trees"
is "$(cd "$(tree 0)" && find . -path ./tmp -o -type f -print | sort | tr '\n' ' ')" "./bin/busybox " "the tar's tree is whole"
is "$(stat -c %a "$(tree 0)/tmp")" 1777 "with its modes"
cmp -s base/bin/busybox "$(tree 1)/bin/busybox"; ok $? "the OCI layer's files are there"
mark=$(tree 1).json
is "$(jq -r '.kind, .config.config.Cmd[0], .config.config.Env[0]' "$mark" | tr '\n' ' ')" "oci /bin/sh GREETING=hello " "its configuration is recorded"
built=$(tree 2)
is "$(cat "$built/made-by-run")" hello "a recipe's files are laid before its steps, through the image's links"
is "$(cat "$built/tmp/deep/er/note") $(stat -c %a "$built/tmp")" "laid 1777" "folders keep their modes"
like "$(tr '\n' ' ' <"$built/devices")" 'fd full null random .*zero' "steps have the usual devices"
is "$(grep -c image-build.sh "$built/processes") $(ls -A "$built/dev" "$built/proc" | grep -v :)" "0 " "and none of it stays"
is "$(ls -A "$built" | tr '\n' ' ')" "bin dev devices etc made-by-run proc processes resolv run sbin sys tmp usr " "nothing else was added"
[ $(wc -l <"$built/processes") -lt 10 ]; ok $? "steps see only their own processes"
is "$(jq -r '.recipe.run | length' "$built.json") $(jq -r '.hash' "$built.json")" "2 $(basename "$built")" "the mark holds the recipe"
is "$(ls -A "$root/cache/tmp")" "" "no remains of the builds"
is "$(find base -newer images.yaml)" "" "the base is untouched"

out=$("$drive" "$root" images.yaml tar oci built)
is "$? $(grep -c progress <<<"$out")" "0 0" "the second time they are ready at once"

out=$("$drive" "$root" images.yaml failing nowhere)
is $? 1 "what fails is told"
like "$out" '^failed 0 .*step 3/3 ended with code 3.*the disk is made of cheese.*images/[0-9a-f]{64}\.log' "which step, with which code, its last words, and where the rest is"
like "$out" '^failed 1 .*127.0.0.1:1/nothing.*cannot be reached.*refused' "a registry that does not answer, too"
is "$(ls "$root"/cache/images/*.json | wc -l)" 3 "no mark of what failed"

"$drive" "$root" images.yaml slow other >killed.out 2>/dev/null &
builder=$!
both() { [ "$(grep -cE 'step 2/2: sleep 90[01]' killed.out)" = 2 ]; }
within 10 both
kill -KILL $builder; wait $builder 2>/dev/null
is $? 137 "the daemon is killed while it builds"
like "$(cat killed.out)" 'step 2/2: sleep 900' "in the middle of a step"
like "$(cat killed.out)" 'step 2/2: sleep 901' "two builds ran side by side"
within 5 sh -c '! pgrep -f "sleep 90[01]"'; ok $? "its builds end with it"
[ -n "$(ls -A "$root/cache/tmp")" ]; ok $? "half a tree is left"
out=$("$drive" "$root" images.yaml tar)
is "$? $(ls -A "$root/cache/tmp" 2>/dev/null)" "0 " "the next one sweeps it"
is "$(ls "$root"/cache/images/*.json | wc -l)" 3 "and never takes it for an image"

# Cut off between the renames: a tree without its mark is built again.
rm "$built.json"
echo half >"$built/made-by-run"
out=$("$drive" "$root" images.yaml built)
is "$? $(cat "$built/made-by-run")" "0 hello" "a tree without its mark is built anew"
rm -f "$built.json"; ln -s /nowhere base/dev
out=$("$drive" "$root" images.yaml built)
like "$out" '^failed 0 .*/dev of the base is a link' "a base whose folders lead elsewhere is refused"
finish
