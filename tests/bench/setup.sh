#!/usr/bin/env bash
# Sets up the peers of the benchmark, Docker with Compose v2 and Podman, from Debian packages. They live in a tree of their own and
# run in their own mount, network, pid, uts and ipc namespaces ("the box"), so that nothing of them touches the host's network, mounts
# or firewall; both sides can then be measured in turn, on one machine, in one run.
#
#   setup.sh DIR all           everything below, in order; about two minutes, and again nothing
#   setup.sh DIR tree          debootstrap a Debian tree and install the peers in it
#   setup.sh DIR images        make the root file systems that both sides run: DIR/images/{busybox,py}.tar
#   setup.sh DIR box           start the box: the namespaces, held by one sleeping process; with BENCH_DATA=memory, what the
#                              peers keep is on a tmpfs and gone with the box. A box of the other kind is stopped
#   setup.sh DIR dockerd       start dockerd in the box
#   setup.sh DIR load          import the images into docker
#   setup.sh DIR exec CMD...   run a command in the box
#   setup.sh DIR host CMD...   run a command of the tree on the host's network (the same client programs for both sides)
#   setup.sh DIR stop          stop dockerd and the box, and remove its cgroups
#
# Needs root on Debian or a relative of it. The mirror is the host's own (BENCH_MIRROR overrides it) and must serve the
# suite BENCH_SUITE, by default trixie: the first with Compose v2.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }
dir=$(mkdir -p "$1" && cd "$1" && pwd); command=$2; shift 2

tree=$dir/tree
images=$dir/images
pid_file=$dir/box.pid
suite=${BENCH_SUITE:-trixie}
peers="docker.io docker-cli docker-compose docker-buildx podman crun buildah netavark git xz-utils iptables iproute2 iperf3 busybox-static python3 procps"
inside="python3 iperf3 redis-server"

mirror() {
  local found
  found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -1) || true
  echo "${BENCH_MIRROR:-${found:?apt names no mirror here: set BENCH_MIRROR}}"
}

# Runs a command in a tree with private mounts and the host's network. Its mounts die with it.
in_tree() {
  unshare --mount --propagation private sh -euc '
    tree=$1; shift
    mount --bind "$tree" "$tree"; mount -t proc proc "$tree/proc"; mount --rbind /dev "$tree/dev"
    exec chroot "$tree" "$@"' sh "$@"
}

# Installs packages into a tree with the host's resolver and apt settings; no service is started.
install_into() {
  local target=$1 file; shift
  cp -L /etc/resolv.conf "$target/etc/resolv.conf"
  for file in /etc/apt/apt.conf.d/99*; do [ ! -e "$file" ] || cp "$file" "$target/etc/apt/apt.conf.d/"; done
  printf '#!/bin/sh\nexit 101\n' >"$target/usr/sbin/policy-rc.d"; chmod 755 "$target/usr/sbin/policy-rc.d"
  in_tree "$target" apt-get update -q
  in_tree "$target" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

make_tree() {
  [ "$(cat "$dir/tree.done" 2>/dev/null)" != "$peers" ] || return 0
  if [ -e "$dir/tree.done" ]; then # of an earlier list
    # shellcheck disable=SC2086 - a list of words
    install_into "$tree" $peers
    echo "$peers" >"$dir/tree.done"
    return 0
  fi
  command -v debootstrap >/dev/null || { apt-get update -q; apt-get install -qy --no-install-recommends debootstrap; }
  rm -rf "$dir/base" "$tree" "$dir/py"
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$dir/base" "$(mirror)"
  cp -a "$dir/base" "$dir/py"
  mv "$dir/base" "$tree"
  # shellcheck disable=SC2086 - a list of words
  install_into "$tree" $peers
  mkdir -p "$tree/etc/docker" "$tree/bench" "$tree/images" "$tree/.old"
  echo '{"storage-driver": "overlay2", "log-driver": "json-file", "cgroup-parent": "/bench-docker"}' >"$tree/etc/docker/daemon.json"
  echo "$peers" >"$dir/tree.done"
}

make_images() {
  mkdir -p "$images"
  if [ ! -e "$images/busybox.tar" ]; then
    local root=$dir/busybox applet
    rm -rf "$root"; mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,root,var/log}
    cp "$tree/usr/bin/busybox" "$root/bin/busybox"
    "$root/bin/busybox" --list | grep -vx busybox | while read -r applet; do ln -s busybox "$root/bin/$applet"; done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"; echo 'root:x:0:' >"$root/etc/group"
    chmod 1777 "$root/tmp"
    pack "$root" busybox
  fi
  if [ ! -e "$images/py.tar" ]; then
    # shellcheck disable=SC2086 - a list of words
    install_into "$dir/py" $inside
    (cd "$dir/py" && rm -rf var/cache/apt/*.bin var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/{doc,man,locale}/* \
      etc/apt/apt.conf.d/99* etc/resolv.conf usr/sbin/policy-rc.d)
    pack "$dir/py" py
  fi
}

pack() { # a tree becomes a tar, complete or not at all
  tar -C "$1" --numeric-owner --exclude='./dev/*' --exclude='./proc/*' -cf "$images/$2.part" .
  mv "$images/$2.part" "$images/$2.tar"; rm -rf "$1"
}

box_pid() { [ -s "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null && cat "$pid_file"; }

start_box() {
  local kind=${BENCH_DATA:-disk}
  if box_pid >/dev/null; then
    [ "$(cat "$dir/box.kind" 2>/dev/null || echo disk)" != "$kind" ] || return 0
    stop_box
  fi
  echo "$kind" >"$dir/box.kind"
  mkdir -p "$dir/bench"
  setsid unshare --mount --net --pid --uts --ipc --fork --propagation private -- bash -euc '
    tree=$1 dir=$2 kind=$3
    mount --bind "$tree" "$tree"; cd "$tree"
    mkdir -p var/lib/docker var/lib/podman
    [ "$kind" = disk ] || for data in docker podman; do mount -t tmpfs tmpfs "var/lib/$data"; done
    mount --bind "$dir/bench" bench; mount --bind "$dir/images" images
    mount -t proc proc proc; mount -t sysfs sysfs sys
    mount --rbind /sys/fs/cgroup sys/fs/cgroup; mount --rbind /dev dev
    mount -t tmpfs tmpfs run; mount -t tmpfs tmpfs dev/shm; mkdir run/lock
    ip link set lo up
    pivot_root . .old; cd /; umount -l /.old
    mount --make-rshared /
    hostname bench
    exec -a bench-box python3 -c "
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the orphans
while True: signal.pause()"' bash "$tree" "$dir" "$kind" </dev/null >"$dir/box.log" 2>&1 &
  local unshare=$! child="" _
  for _ in $(seq 100); do
    child=$(cat "/proc/$unshare/task/$unshare/children" 2>/dev/null || true); child=${child%% *}
    [ -z "$child" ] || ! grep -qas '^bench-box' "/proc/$child/cmdline" || break
    sleep 0.1; child=""
  done
  [ -n "$child" ] || { cat "$dir/box.log" >&2; exit 1; }
  echo "$child" >"$pid_file"
}

in_box() {
  nsenter -t "$(cat "$pid_file")" -m -n -p -u -i -- \
    env -i -C / HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

start_dockerd() {
  # shellcheck disable=SC2016 - the box's shell expands it
  in_box sh -c '
    docker info >/dev/null 2>&1 && exit 0
    setsid dockerd </dev/null >>/var/log/dockerd.log 2>&1 &
    for _ in $(seq 200); do docker info >/dev/null 2>&1 && exit 0; sleep 0.1; done
    tail -20 /var/log/dockerd.log >&2; exit 1'
}

load_images() {
  local name
  for name in busybox py; do
    in_box docker image inspect "localhost/bench/$name:1" >/dev/null 2>&1 ||
      in_box docker import "/images/$name.tar" "localhost/bench/$name:1"
  done
}

stop_box() {
  local pid; pid=$(box_pid) || return 0
  # shellcheck disable=SC2016 - the box's shell expands it
  in_box sh -c 'd=$(cat /run/docker.pid 2>/dev/null) && kill "$d" && for _ in $(seq 150); do [ -e "/proc/$d" ] || break; sleep 0.1; done; :'
  kill -9 "$pid"; rm -f "$pid_file" # the pid namespace goes with its first process
  sleep 0.5
  find /sys/fs/cgroup -mindepth 1 -depth -type d \( -path '*/bench-docker*' -o -path '*/bench-podman*' \) -exec rmdir {} + 2>/dev/null || true
}

case $command in
  all) make_tree; make_images; start_box; start_dockerd; load_images ;;
  tree) make_tree ;;
  images) make_images ;;
  box) start_box ;;
  dockerd) start_dockerd ;;
  load) load_images ;;
  exec) in_box "$@" ;;
  host) in_tree "$tree" "$@" ;;
  stop) stop_box ;;
  *) echo "unknown: $command" >&2; exit 2 ;;
esac
