# Builds or unpacks one image tree. Run by the image driver in a mount namespace of its own.
# usage: sh image_build.sh KIND REFERENCE CACHE HASH RECIPE
#   KIND       tar, oci, registry or recipe; REFERENCE as in the descriptor
#   CACHE      the root's cache folder: images/, bases/, debs/, lists/, tmp/
#   RECIPE     folder with `packages` (one a line), `files/` (a tree) and `run/` (scripts in order)
# Every line "progress: TEXT" on stdout is told to whoever waits. The tree is renamed into place
# when it is whole; what is left of a killed build lies in tmp/ and is swept at the next start.
set -eu
kind=$1 reference=$2 cache=$3 hash=$4 recipe=$5
work=$cache/tmp/$hash
tree=$work/tree
umask 022
started=$(date +%s)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
progress() { echo "progress: $*"; }
fail() { echo "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is not installed (apt-get install $2)"; }

rm -rf "$work"
mkdir -p "$work" "$cache/images" "$cache/bases" "$cache/debs/partial" "$cache/lists/partial"

unpack_tar() { # FILE
    [ -f "$1" ] || fail "$1 is not a file"
    progress "unpacking $(basename "$1")"
    mkdir -p "$tree"
    tar -x -f "$1" -C "$tree" --numeric-owner --xattrs --exclude='./dev/*' --exclude='dev/*'
}
unpack_oci() { # LAYOUT:TAG
    need umoci umoci
    progress "unpacking the OCI image"
    umoci unpack --image "$1" "$work/bundle" >&2
    mv "$work/bundle/rootfs" "$tree"
}
fetch_registry() { # NAME:TAG
    need skopeo skopeo
    progress "fetching $1"
    skopeo copy "docker://$1" "oci:$work/layout:image" >&2 ||
        fail "the registry of $1 cannot be reached, or it has no such image"
    unpack_oci "$work/layout:image"
}
# The base of a Debian release: made once for all recipes, from this machine's package sources.
debian_base() { # SUITE
    need mmdebstrap mmdebstrap
    base=$cache/bases/debian-$1
    if [ ! -d "$base" ]; then
        progress "installing the base of Debian $1"
        rm -rf "$work/base"
        mmdebstrap --mode=root --variant=minbase --dpkgopt='force-unsafe-io' "$1" "$work/base" >&2
        mv "$work/base" "$base"
    fi
    progress "copying the base"
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
        progress "copying $1"
        cp -a --reflink=auto "$1" "$tree"
        ;;
    *) fetch_registry "$1" ;;
    esac
}
in_tree() { chroot "$tree" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# What steps need for a while and the image must not keep.
prepare() {
    mkdir -p "$tree/proc" "$tree/dev" "$tree/tmp" "$tree/etc" "$tree/usr/sbin"
    mount -t proc proc "$tree/proc"
    mount -t tmpfs -o mode=755,size=64k devices "$tree/dev"
    for device in null zero full random urandom tty; do
        : >"$tree/dev/$device"
        mount --bind "/dev/$device" "$tree/dev/$device"
    done
    mkdir "$tree/dev/shm"
    ln -s /proc/self/fd "$tree/dev/fd"
    mv "$tree/etc/resolv.conf" "$work/resolv.conf" 2>/dev/null || true
    cp /etc/resolv.conf "$tree/etc/resolv.conf"
    mv "$tree/usr/sbin/policy-rc.d" "$work/policy-rc.d" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod 755 "$tree/usr/sbin/policy-rc.d"
}
restore() {
    rm -f "$tree/etc/resolv.conf" "$tree/usr/sbin/policy-rc.d"
    mv "$work/resolv.conf" "$tree/etc/resolv.conf" 2>/dev/null || true
    mv "$work/policy-rc.d" "$tree/usr/sbin/policy-rc.d" 2>/dev/null || true
    umount -R "$tree/dev" "$tree/proc"
}

# Package files and lists are kept in the cache: a rebuild works without a network.
install_packages() { # STEP PACKAGE...
    step=$1
    shift
    [ -x "$tree/usr/bin/apt-get" ] || fail 'packages need a base with apt-get, such as debian:bookworm'
    mkdir -p "$tree/var/cache/apt/archives" "$tree/var/lib/apt/lists"
    mount --bind "$cache/debs" "$tree/var/cache/apt/archives"
    mount --bind "$cache/lists" "$tree/var/lib/apt/lists"
    # How this machine reaches its packages (proxies, checks) holds for the build too.
    for file in /etc/apt/apt.conf.d/*; do
        if grep -qE '^ *Acquire::' "$file" && [ ! -e "$tree/etc/apt/apt.conf.d/$(basename "$file")" ]; then
            cp "$file" "$tree/etc/apt/apt.conf.d/"
            echo "$tree/etc/apt/apt.conf.d/$(basename "$file")" >>"$work/conf"
        fi
    done
    progress "$step: reading package lists"
    in_tree apt-get -q update >&2 ||
        echo 'package lists cannot be refreshed: using those of the cache' >&2
    progress "$step: installing $# packages"
    in_tree apt-get -q -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io \
        -o APT::Keep-Downloaded-Packages=true -o Binary::apt-get::APT::Keep-Downloaded-Packages=true \
        install "$@" >&2
    umount "$tree/var/cache/apt/archives" "$tree/var/lib/apt/lists"
    [ ! -f "$work/conf" ] || xargs rm -f <"$work/conf"
}
build_recipe() {
    steps=1 done_steps=1
    [ -s "$recipe/packages" ] && steps=$((steps + 1))
    for script in "$recipe"/run/*; do [ -f "$script" ] && steps=$((steps + 1)); done
    progress "step 1/$steps: $reference"
    start_from "$reference"
    prepare
    if [ -s "$recipe/packages" ]; then
        done_steps=2
        install_packages "step 2/$steps" $(cat "$recipe/packages")
    fi
    [ ! -d "$recipe/files" ] || cp -a "$recipe/files/." "$tree/"
    for script in "$recipe"/run/*; do
        [ -f "$script" ] || continue
        done_steps=$((done_steps + 1))
        progress "step $done_steps/$steps: $(head -c 60 "$script" | tr '\n' ' ')"
        in_tree /bin/sh -e -c "$(cat "$script")" >&2 </dev/null
    done
    restore
}

case $kind in
tar) unpack_tar "$reference" ;;
oci) unpack_oci "$reference" ;;
registry) fetch_registry "$reference" ;;
recipe) build_recipe ;;
*) fail "unknown kind of image: $kind" ;;
esac
mkdir -p "$tree/proc" "$tree/sys" "$tree/dev" "$tree/run" "$tree/tmp"
rm -rf "$cache/images/$hash"
mv "$tree" "$cache/images/$hash"
{
    printf '{"kind":"%s","hash":"%s","seconds":%s,"packages":{' "$kind" "$hash" $(($(date +%s) - started))
    [ ! -x "$cache/images/$hash/usr/bin/dpkg-query" ] ||
        dpkg-query --admindir="$cache/images/$hash/var/lib/dpkg" -W -f='"${Package}":"${Version}",' | sed '$ s/,$//'
    printf '}}\n'
} >"$cache/images/$hash.json.new"
sync -f "$cache/images/$hash"
mv "$cache/images/$hash.json.new" "$cache/images/$hash.json"
rm -rf "$work" "$recipe"
progress "done in $(($(date +%s) - started)) s"
