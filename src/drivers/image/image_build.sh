# Builds or unpacks one image tree. Run by the image driver as PID 1 of a PID namespace, in a mount
# namespace of its own: whatever ends it, no process and no mount is left.
# usage: sh image_build.sh KIND REFERENCE CACHE HASH RECIPE
#   KIND       tar, oci, registry or recipe; REFERENCE as in the descriptor
#   CACHE      the root's cache folder: images/ bases/ debs/ lists/ locks/ tmp/
#   RECIPE     folder with `facts` (JSON for the mark), `packages` (one a line), `files/` (a tree)
#              and `run/` (scripts in order)
# Every line "progress: TEXT" on stdout is told to whoever waits. The tree is renamed into place
# when it is whole; what is left of a killed build lies in tmp/ and is swept at the next start.
set -eu
kind=$1 reference=$2 cache=$3 hash=$4 recipe=$5
work=$cache/tmp/$hash
tree=$work/tree
umask 022
started=$(date +%s)
config=null
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
progress() { echo "progress: $*"; }
fail() { echo "E: $*"; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is not installed (apt-get install $2)"; }

mkdir -p "$cache/tmp" "$cache/images" "$cache/bases" "$cache/debs/partial" "$cache/lists/partial" \
    "$cache/locks"
# Held as long as any process of this build lives: the next daemon waits for it before it sweeps.
exec 8>>"$cache/builds.lock"
flock -s 8
rm -rf "$work"
mkdir -p "$work"

unpack_tar() { # FILE
    [ -f "$1" ] || fail "$1 is not a file"
    progress "unpacking $(basename "$1")"
    mkdir -p "$tree"
    tar -x -f "$1" -C "$tree" --numeric-owner --xattrs --xattrs-include='*' \
        --exclude='./dev/*' --exclude='dev/*'
    # What `docker save` and `podman save` write is not a tree but layers of one.
    if [ -f "$tree/manifest.json" ] && [ ! -d "$tree/usr" ] && [ ! -d "$tree/bin" ]; then
        need skopeo skopeo
        rm -rf "$tree"
        skopeo copy "docker-archive:$1" "oci:$work/layout:image"
        unpack_oci "$work/layout:image"
    fi
}
unpack_oci() { # LAYOUT:TAG
    need umoci umoci
    need skopeo skopeo
    [ -f "${1%:*}/index.json" ] || fail "${1%:*} is not an OCI layout: it has no index.json"
    progress "unpacking the OCI image"
    umoci unpack --image "$1" "$work/bundle"
    config=$(skopeo inspect --config --raw "oci:$1")
    mv "$work/bundle/rootfs" "$tree"
}
fetch_registry() { # NAME:TAG
    need skopeo skopeo
    progress "fetching $1"
    skopeo --command-timeout 30m copy "docker://$1" "oci:$work/layout:image" ||
        fail "the registry of $1 cannot be reached, or it has no such image: $(
            skopeo --command-timeout 30s inspect --raw "docker://$1" 2>&1 >/dev/null |
                sed -n 's/.*msg="\(.*\)"$/\1/p' | tail -n 1 | cut -c 1-300)"
    unpack_oci "$work/layout:image"
}

# This machine's package sources for SUITE: its own where they name it, else its own rewritten.
sources_of() { # SUITE; prints names of files
    own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    for suite in "$1" "$own"; do
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
            /etc/apt/sources.list.d/*.sources; do
            [ -f "$file" ] || continue
            grep -v '^ *#' "$file" | grep -qw -- "$suite" || continue
            copy=$work/sources/$(basename "$file")
            mkdir -p "$work/sources"
            sed "s/\b$suite\b/$1/g" "$file" >"$copy"
            echo "$copy"
        done >"$work/sources.names"
        [ ! -s "$work/sources.names" ] || break
    done
    cat "$work/sources.names"
}
# How this machine reaches its packages (proxies, checks) holds for builds too.
apt_access() { apt-config dump 2>/dev/null | grep '^Acquire::' || true; }

# The base of a Debian release: made once for all recipes. Who comes second waits for it.
debian_base() { # SUITE
    need mmdebstrap mmdebstrap
    base=$cache/bases/debian-$1
    exec 9>>"$base.lock"
    flock -n 9 || { progress "$step: waiting for the base of Debian $1" && flock 9; }
    if [ ! -d "$base" ]; then
        progress "$step: making the base of Debian $1"
        apt_access >"$work/access.conf"
        include=''
        names=$(sources_of "$1")
        # shellcheck disable=SC2086 # names of files that this script chose
        [ -z "$names" ] || ! grep -q https: $names || include=--include=ca-certificates
        # shellcheck disable=SC2016,SC2086 # the hooks' own $1; names as above
        mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io \
            --aptopt="$work/access.conf" --aptopt='Acquire::Retries "3"' $include \
            --customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"' \
            --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname' \
            "$1" "$work/base" $names </dev/null
        rm -f "$work/base/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
        sync -f "$work/base"
        mv "$work/base" "$base"
    fi
    exec 9>&-
    progress "$step: copying the base"
    cp -a --reflink=auto "$base" "$tree"
}
start_from() { # REFERENCE of another image
    case $1 in
    debian:*) debian_base "${1#debian:}" ;;
    host) fail 'a recipe cannot build upon "host"' ;;
    oci:*) unpack_oci "${1#oci:}" ;;
    *.tar | *.tar.gz | *.tar.xz | *.tar.zst) unpack_tar "$1" ;;
    /*)
        [ -d "$1" ] || fail "$1 is not a folder"
        progress "$step: copying $1"
        cp -a --reflink=auto "$1" "$tree"
        ;;
    *) fetch_registry "$1" ;;
    esac
}

path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
in_tree() {
    env -i PATH=$path HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        APT_CONFIG=/.limpet/apt.conf ${http_proxy:+http_proxy="$http_proxy"} \
        ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        chroot "$tree" "$@" 8>&- </dev/null
}

# What steps need for a while and the image must not keep: devices, names, and in /.limpet the
# cache of packages, how to reach more of them, and a busybox to lay files with.
prepare() {
    for folder in proc dev etc tmp usr usr/sbin .limpet; do
        [ ! -L "$tree/$folder" ] || [ "$folder" = usr/sbin ] ||
            fail "/$folder of the base is a link: no steps can be run in it"
        mkdir -p "$tree/$folder"
    done
    mount -t proc proc "$tree/proc"
    mount -t tmpfs -o mode=755,size=64k devices "$tree/dev"
    for device in null zero full random urandom tty; do
        : >"$tree/dev/$device"
        mount --bind "/dev/$device" "$tree/dev/$device"
    done
    mkdir "$tree/dev/shm"
    ln -s /proc/self/fd "$tree/dev/fd"
    mount -t tmpfs -o mode=755,size=8m limpet "$tree/.limpet"
    mkdir "$tree/.limpet/debs" "$tree/.limpet/lists" "$tree/.limpet/auth"
    mount --bind "$cache/debs" "$tree/.limpet/debs"
    mount --bind "$cache/lists" "$tree/.limpet/lists"
    [ ! -d /etc/apt/auth.conf.d ] || mount --bind /etc/apt/auth.conf.d "$tree/.limpet/auth"
    {
        apt_access
        cat <<CONF
Dir::Cache::archives "/.limpet/debs";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::State::lists "/.limpet/lists";
Dir::Etc::netrcparts "/.limpet/auth";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
APT::Sandbox::User "root";
Debug::NoLocking "true";
DPkg::Use-Pty "0";
DPkg::Options:: "--force-unsafe-io";
DPkg::Options:: "--force-confdef";
DPkg::Options:: "--force-confold";
CONF
    } >"$tree/.limpet/apt.conf"
    mv "$tree/etc/resolv.conf" "$work/resolv.conf" 2>/dev/null || true
    cp /etc/resolv.conf "$tree/etc/resolv.conf"
    mv "$tree/usr/sbin/policy-rc.d" "$work/policy-rc.d" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d" # no service is started
    chmod 755 "$tree/usr/sbin/policy-rc.d"
}
restore() {
    rm -f "$tree/etc/resolv.conf" "$tree/usr/sbin/policy-rc.d"
    mv "$work/resolv.conf" "$tree/etc/resolv.conf" 2>/dev/null || true
    mv "$work/policy-rc.d" "$tree/usr/sbin/policy-rc.d" 2>/dev/null || true
    umount -R "$tree/.limpet" "$tree/dev" "$tree/proc"
    rmdir "$tree/.limpet"
}

package_files() { # the files of all packages of the tree, as apt names them
    dpkg-query --admindir="$tree/var/lib/dpkg" -W \
        -f='${db:Status-Abbrev}${Package}_${Version}_${Architecture}.deb\n' |
        sed -n 's/^ii //p' | sed 's/:/%3a/g' | LC_ALL=C sort
}
# The package files of an earlier build of this very image upon this very base, if all are there.
# Installing exactly those needs no network and gives the same versions.
files_known() {
    [ -f "$lock" ] || return 1
    while read -r file; do
        [ -f "$cache/debs/$file" ] || return 1
        set -- "$@" "/.limpet/debs/$file"
    done <"$lock"
    [ $# -gt 0 ] && echo "$@"
}
lists_refresh() {
    [ -z "$(find "$cache/lists/fresh" -mmin -30 2>/dev/null)" ] || return 0
    progress "$step: reading package lists"
    if in_tree apt-get -q update; then
        : >"$cache/lists/fresh"
    else
        echo 'package lists cannot be refreshed: using those of the cache'
    fi
}
packages_install() { # PACKAGE...
    [ -x "$tree/usr/bin/apt-get" ] ||
        fail 'packages need a base with apt-get, such as debian:bookworm'
    lock=$cache/locks/$hash.$(sha256sum "$tree/var/lib/dpkg/status" | cut -c 1-16)
    package_files >"$work/files.before"
    if files=$(files_known); then
        # shellcheck disable=SC2086 # names of package files hold no blanks
        set -- $files
    else
        # One at a time: package lists and files are shared with the other builds.
        exec 9>>"$cache/lists.lock"
        flock 9
        lists_refresh
        progress "$step: fetching packages"
        in_tree apt-get -q -y --download-only install "$@" 9>&-
        exec 9>&-
    fi
    total=$(in_tree apt-get -q -s --no-download install "$@" | grep -c '^Inst ' || true)
    progress "$step: installing $total packages"
    {
        in_tree apt-get -q -y --no-download install "$@" 2>&1 || : >"$work/install.failed"
    } | awk -v total="$total" -v step="$step" '{ print }
        /^Setting up / && ++n % 10 == 0 {
            print "progress: " step ": set up " n " of " total " packages"
        }
        { fflush() }'
    [ ! -f "$work/install.failed" ] || fail "apt-get could not install the packages"
    package_files >"$work/files.after"
    LC_ALL=C comm -13 "$work/files.before" "$work/files.after" >"$lock.new"
    mv "$lock.new" "$lock"
}
# Inside the tree, so that links lead to where they lead in the image; folders that are there keep
# their owners and modes.
files_lay() {
    need busybox busybox-static
    cp "$(command -v busybox)" "$tree/.limpet/busybox"
    (cd "$recipe/files" && find . -type f -print0 |
        tar -c --null --no-recursion --owner=0 --group=0 --numeric-owner -T -) >"$work/files.tar"
    env -i PATH=$path chroot "$tree" /.limpet/busybox tar -x -f - <"$work/files.tar" ||
        fail 'the files of the recipe cannot be laid (is busybox a static program here?)'
}
build_recipe() {
    steps=1 at=1
    [ ! -s "$recipe/packages" ] || steps=$((steps + 1))
    for script in "$recipe"/run/*; do [ ! -f "$script" ] || steps=$((steps + 1)); done
    step="step 1/$steps"
    start_from "$reference"
    prepare
    if [ -s "$recipe/packages" ]; then
        at=2
        step="step 2/$steps"
        # shellcheck disable=SC2046 # one package a line
        packages_install $(cat "$recipe/packages")
    fi
    [ ! -d "$recipe/files" ] || files_lay
    for script in "$recipe"/run/*; do
        [ -f "$script" ] || continue
        at=$((at + 1))
        progress "step $at/$steps: $(head -c 60 "$script" | tr '\n' ' ')"
        in_tree /bin/sh -e -c "$(cat "$script")" || fail "step $at/$steps ended with code $?"
    done
    restore
}

step=unpacking
case $kind in
tar) unpack_tar "$reference" ;;
oci) unpack_oci "$reference" ;;
registry) fetch_registry "$reference" ;;
recipe) build_recipe ;;
*) fail "unknown kind of image: $kind" ;;
esac
for folder in proc sys dev run tmp; do
    [ -L "$tree/$folder" ] || mkdir -p "$tree/$folder"
done
chmod 1777 "$tree/tmp"
progress 'writing it to the disk'
{
    printf '{"hash":"%s",%s,"built_at":%s,"seconds":%s,"size_kib":%s,"config":%s,"packages":{' \
        "$hash" "$(cat "$recipe/facts")" "$(date +%s)" $(($(date +%s) - started)) \
        "$(du -sk "$tree" | cut -f 1)" "$config"
    [ ! -f "$tree/var/lib/dpkg/status" ] ||
        dpkg-query --admindir="$tree/var/lib/dpkg" -W -f='"${binary:Package}":"${Version}",' |
        sed 's/,$//'
    printf '}}\n'
} >"$work/mark.json"
sync -f "$tree"
rm -rf "$cache/images/$hash" # of a build that was cut off between the two renames
mv "$tree" "$cache/images/$hash"
mv "$work/mark.json" "$cache/images/$hash.json"
sync -f "$cache/images"
rm -rf "$work" "$recipe"
progress "done in $(($(date +%s) - started)) s"
