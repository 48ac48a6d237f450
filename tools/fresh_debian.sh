#!/usr/bin/env bash
# Proves that the project builds and tests itself on a fresh Debian 12 with only git, make and a network: makes one with debootstrap
# under FOLDER, copies the checkout without build/ into it and runs the command there. Needs root; the mirror and the network's
# settings (proxies, certificates, pip's) are this machine's own.
#   tools/fresh_debian.sh FOLDER [COMMAND...]      default command: make test
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "fresh_debian: root rights needed" >&2; exit 2; }
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "fresh_debian: install debootstrap first" >&2; exit 2; }
root=$(realpath -m "$1"); shift
[ $# -gt 0 ] || set -- make test
[ ! -e "$root" ] || { echo "fresh_debian: $root exists; give a new folder, or remove it (after umount) first" >&2; exit 2; }

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
start=$SECONDS
log=$(mktemp)
debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$root" "$mirror" >"$log" 2>&1 || { tail -n 20 "$log" >&2; exit 1; }
rm -f "$log"

cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
for settings in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/pip.conf; do
  [ ! -e $settings ] || cp $settings "$root$settings"
done
grep -l -i -E '^ *Acquire::(http|https|check)' /etc/apt/apt.conf.d/* 2>/dev/null | xargs -r cp -t "$root/etc/apt/apt.conf.d"
mount -t proc proc "$root/proc"
mount --rbind --make-rslave /dev "$root/dev"
trap 'umount -R "$root/proc" "$root/dev"' EXIT
chroot "$root" update-ca-certificates >/dev/null 2>&1

mkdir "$root/root/negativa"
tar -c --exclude=./build . | tar -x -C "$root/root/negativa"
echo "fresh_debian: $root is ready after $((SECONDS - start)) s; running: $*" >&2
passed=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8)
while IFS= read -r setting; do passed+=("$setting"); done < <(env | grep -E -i '^((http|https|no|all)_proxy|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|PROXY))=')
start=$SECONDS
status=0
env -i "${passed[@]}" chroot "$root" sh -c 'cd /root/negativa && exec "$@"' sh "$@" </dev/null || status=$?
echo "fresh_debian: '$*' ended with exit code $status after $((SECONDS - start)) s" >&2
exit $status
