#!/usr/bin/env bash
# What the tests need of a Debian machine beside Python: a container engine, a
# browser, an SSH server and the tools of the agent. A test never skips for want
# of one of them.
#
#   bash tests/setup.sh        as root installs what is missing, else names it
#
# Exits 1 when something is missing that it cannot install. When nothing is
# missing it starts no package manager at all.
set -euo pipefail

# One "command package" pair a line.
needed() {
  cat <<'PAIRS'
dockerd docker.io
docker docker.io
docker-compose docker-compose
podman podman
busybox busybox-static
sshd openssh-server
chromium chromium
jq jq
curl curl
shellcheck shellcheck
systemd-analyze systemd
cron cron
strace strace
locale-gen locales
nginx nginx
caddy caddy
prometheus prometheus
promtool prometheus
node nodejs
npm npm
ip iproute2
PAIRS
}

# missing: the packages whose command is not on the PATH, each once.
missing() {
  local command package
  while read -r command package; do
    command -v "$command" >/dev/null || echo "$package"
  done < <(needed) | sort -u
}

# install PACKAGE...: quietly, and without services that a container cannot start.
install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # From Debian 13 on, docker.io no longer holds the command itself.
  if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
    set -- "$@" docker-cli
  fi
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

main() {
  # sshd, dockerd and nginx lie where an ordinary user's PATH does not look.
  PATH="$PATH:/usr/sbin:/sbin"
  local packages
  mapfile -t packages < <(missing)
  ((${#packages[@]})) || return 0
  if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "the tests need these Debian packages: ${packages[*]}" >&2
    echo "install them with: sudo apt-get install ${packages[*]}" >&2
    return 1
  fi
  echo "Installing what the tests need: ${packages[*]}"
  install "${packages[@]}"
  mapfile -t packages < <(missing)
  ((${#packages[@]} == 0)) || { echo "still missing: ${packages[*]}" >&2; return 1; }
}

main "$@"
