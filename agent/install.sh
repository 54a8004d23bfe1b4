#!/usr/bin/env bash
# archnest install.sh: install, upgrade or remove this host's ArchNest agent.
# The manual is in usage() below, and in docs/agent.md.
#
# It is made to be piped into bash, so all of it is functions and the last line
# starts them: of a download that was cut nothing runs. The first lines are for
# any shell, so that a wrong one is told and not buried in syntax errors.
# shellcheck disable=SC2292
if [ -z "${BASH_VERSION:-}" ] || [ "${BASH_VERSINFO[0]}${BASH_VERSINFO[1]}" -lt 43 ]; then
  echo 'archnest: this needs bash 4.3 or newer: end the line in "bash" instead of "sh"' >&2
  echo 'archnest: (where there is none: apt-get, dnf or zypper install bash, or apk add bash)' >&2
  exit 2
fi
set +o posix
set -euo pipefail

readonly AGENT=archnest-docker-agent.sh
readonly UNIT=archnest-docker-agent
readonly MARK='# archnest-agent'
readonly NAMES=(ARCHNEST_URL ARCHNEST_AGENT_TOKEN ARCHNEST_HOST_ID ARCHNEST_CA_FILE
  ARCHNEST_TIMEOUT_S ARCHNEST_DOCKER_CLI DOCKER_HOST)

usage() {
  cat <<'USAGE'
Install, upgrade or remove the ArchNest agent, which reports this host's
containers to your server every 30 seconds.

  curl -fsSL URL/agent/install.sh |
    sudo ARCHNEST_URL=URL ARCHNEST_AGENT_TOKEN=TOKEN ARCHNEST_HOST_ID=NAME bash

options, after "bash -s --" or "bash install.sh":
  --user        for this user alone, without root: for rootless Docker and podman
  --check       verify tools, engine, settings and server; install nothing
  --uninstall   remove everything that was installed; needs no server
  --help        this text

settings, from the environment, else from those of an earlier install, else
asked for where there is a terminal:
  ARCHNEST_URL           address of the server, as in http://nest.lan:4000
  ARCHNEST_AGENT_TOKEN   the agent token
  ARCHNEST_HOST_ID       name of this host on the page; default: its hostname
  ARCHNEST_CA_FILE       CA certificate to trust for https; a copy is kept
  ARCHNEST_DOCKER_CLI    docker or podman; default: the one that answers
  DOCKER_HOST            the engine's address, where it is not the usual one

Running it again upgrades the agent and keeps the settings. Nothing is
installed unless the server has taken a report.

exit: 0 done, 2 missing tool, 3 wrong settings, 4 engine unreachable,
  5 server unreachable, 6 server refused
USAGE
}

# say TEXT: one line for the person who watches.
say() {
  printf 'archnest: %s\n' "$1"
}

# fail CODE TEXT: say why and end.
fail() {
  printf 'archnest: %s\n' "$2" >&2
  exit "$1"
}

# has COMMAND: whether it is there.
has() {
  command -v "$1" >/dev/null 2>&1
}

# parse_options ARG...: leaves action (install, check, uninstall) and scope.
parse_options() {
  local option
  action=install scope=root
  for option; do
    case "$option" in
      --user) scope=user ;;
      --check) action=check ;;
      --uninstall) action=uninstall ;;
      --help | -h) usage; exit 0 ;;
      *) fail 3 "unknown option $option; --help tells those there are" ;;
    esac
  done
}

# settle_scope: system-wide as root, else for the user who agrees to that.
settle_scope() {
  local answer=''
  if [[ "$scope" == root && "$UID" != 0 ]]; then
    [[ "$action" == check ]] || ask answer 'Not root: go on for this user alone? [y/N] '
    [[ "$action" == check || "$answer" == [Yy]* ]] || fail 3 \
      'this needs root (put sudo before bash), or for this user alone: bash -s -- --user'
    scope=user
  fi
  if [[ "$scope" == root ]]; then
    bin=/usr/local/bin config=/etc/archnest units=/etc/systemd/system systemctl=(systemctl)
  else
    [[ "${HOME:-}" == /* && "$HOME" != *[$'\n\'%']* ]] || fail 3 'HOME does not name your home folder'
    bin="$HOME/.local/bin" config="$HOME/.config/archnest"
    units="$HOME/.config/systemd/user" systemctl=(systemctl --user)
  fi
  agent="$bin/$AGENT" env_file="$config/agent.env"
  cron_file=/etc/cron.d/archnest-agent
}

# ask VARIABLE QUESTION [secret]: the answer from the terminal; nothing without one.
# shellcheck disable=SC2034
ask() {
  local -n into="$1"
  { : </dev/tty; } 2>/dev/null || return 0
  printf '%s' "$2" >/dev/tty
  if [[ "${3:-}" == secret ]]; then
    IFS= read -rs into </dev/tty || true
    printf '\n' >/dev/tty
  else
    IFS= read -r into </dev/tty || true
  fi
}

# unquote: leave in `value` what a shell would, without a comment and without expanding.
unquote() {
  local end='[[:space:]]*([[:space:]]#.*)?$'
  if [[ "$value" =~ ^\"([^\"]*)\"$end || "$value" =~ ^\'([^\']*)\'$end ||
    "$value" =~ ^\"(.*)\"[[:space:]]*$ || "$value" =~ ^\'(.*)\'[[:space:]]*$ ]]; then
    value="${BASH_REMATCH[1]}"
  else
    value="${value%%[[:space:]]#*}" value="${value%"${value##*[![:space:]]}"}"
  fi
}

# kept NAME: its value in the settings file, read as the agent reads it.
kept() {
  local line value=''
  [[ -r "$env_file" ]] || return 0
  while IFS= read -r line || [[ -n "$line" ]]; do
    [[ "${line#$'\xef\xbb\xbf'}" =~ ^[[:space:]]*(export[[:space:]]+)?"$1"=(.*)$ ]] || continue
    value="${BASH_REMATCH[2]}"
    unquote
    break
  done <"$env_file"
  printf '%s' "$value"
}

# take_settings: fill `setting` from the environment, the file and the terminal.
take_settings() {
  local name
  declare -gA setting=()
  for name in "${NAMES[@]}"; do
    setting[$name]="${!name:-$(kept "$name")}"
    # Children need none of it, and the agent must read what will be kept.
    unset "$name"
    [[ "${setting[$name]}" != *[[:cntrl:]]* ]] || fail 3 "$name must be one line of text"
  done
  require ARCHNEST_URL 'Address of the ArchNest server, as in http://nest.lan:4000: '
  require ARCHNEST_AGENT_TOKEN 'Agent token (it is not shown): ' secret
  [[ "${setting[ARCHNEST_URL]}" =~ ^https?://[^[:space:]]+$ ]] \
    || fail 3 "ARCHNEST_URL must be the server's address, as in http://nest.lan:4000"
  setting[ARCHNEST_URL]="${setting[ARCHNEST_URL]%/}"
  if [[ -z "${setting[ARCHNEST_HOST_ID]}" ]]; then
    setting[ARCHNEST_HOST_ID]="${HOSTNAME:-$(</proc/sys/kernel/hostname)}"
  fi
  [[ -z "${setting[ARCHNEST_CA_FILE]}" || -r "${setting[ARCHNEST_CA_FILE]}" ]] \
    || fail 3 "ARCHNEST_CA_FILE must be a readable file and ${setting[ARCHNEST_CA_FILE]} is not"
}

# require NAME QUESTION [secret]: a setting without which nothing can go on.
require() {
  local answer=''
  [[ -z "${setting[$1]}" ]] || return 0
  ask answer "$2" "${3:-}"
  setting[$1]="$answer"
  [[ -n "$answer" ]] || fail 3 "$1 is not set: put $1=... before bash (after sudo), or see --help"
}

# installs TOOL: the line that installs it here.
installs() {
  local ID='' ID_LIKE='' package="$1" known
  # shellcheck disable=SC1091
  [[ ! -r /etc/os-release ]] || . /etc/os-release
  case "$1" in
    flock) package=util-linux ;;
    timeout | mktemp) package=coreutils ;;
  esac
  for known in $ID $ID_LIKE; do
    case "$known" in
      debian | ubuntu) printf 'apt-get install %s' "${package/#docker/docker.io}"; return ;;
      fedora | rhel | centos) printf 'dnf install %s' "${package/#docker/podman}"; return ;;
      alpine) printf 'apk add %s' "${package/#util-linux/flock}"; return ;;
      opensuse* | suse | sles) printf 'zypper install %s' "$package"; return ;;
    esac
  done
  printf 'install the package %s' "$package"
}

# require_tools: end with a line for each tool that is missing.
require_tools() {
  local tool missing=0
  local wanted="${setting[ARCHNEST_DOCKER_CLI]}"
  for tool in curl jq gzip flock timeout mktemp; do
    has "$tool" && continue
    printf 'archnest: %s is missing: %s\n' "$tool" "$(installs "$tool")" >&2
    missing=1
  done
  if [[ -n "$wanted" ]] && ! has "$wanted"; then
    printf 'archnest: %s, which ARCHNEST_DOCKER_CLI names, is missing\n' "$wanted" >&2
    missing=1
  elif [[ -z "$wanted" ]] && ! has docker && ! has podman; then
    printf 'archnest: docker or podman is missing: %s\n' "$(installs docker)" >&2
    missing=1
  fi
  ((missing == 0)) || exit 2
}

# answers CLI: whether its engine lists containers, at the address it is to use.
answers() {
  local address=()
  [[ -z "${setting[DOCKER_HOST]}" ]] || address=(env "DOCKER_HOST=${setting[DOCKER_HOST]}")
  timeout -k 2 20 ${address[@]+"${address[@]}"} "$1" ps -q >/dev/null 2>&1
}

# choose_engine: the CLI that answers, and the address of a rootless engine.
choose_engine() {
  local cli socket="${XDG_RUNTIME_DIR:-/run/user/$UID}/docker.sock"
  if [[ -z "${setting[ARCHNEST_DOCKER_CLI]}" ]]; then
    for cli in docker podman; do
      has "$cli" || continue
      setting[ARCHNEST_DOCKER_CLI]="$cli"
      answers "$cli" && break
      [[ "$cli" == docker && "$scope" == user && -z "${setting[DOCKER_HOST]}" && -S "$socket" ]] || continue
      setting[DOCKER_HOST]="unix://$socket"
      answers "$cli" && break
      setting[DOCKER_HOST]=''
    done
  fi
  cli="${setting[ARCHNEST_DOCKER_CLI]}"
  # The docker command of the package podman-docker is podman, and speaks as it.
  if [[ "$cli" == docker ]] && has podman && [[ "$(docker --version 2>/dev/null)" == podman* ]]; then
    setting[ARCHNEST_DOCKER_CLI]=podman
  fi
  # Timers and cron look in fewer places than a login does.
  case "$(command -v "${setting[ARCHNEST_DOCKER_CLI]}")" in
    /usr/* | /bin/* | /sbin/* | '') ;;
    *) setting[ARCHNEST_DOCKER_CLI]="$(command -v "${setting[ARCHNEST_DOCKER_CLI]}")" ;;
  esac
}

# is_podman: whether the chosen CLI is podman.
is_podman() {
  [[ "${setting[ARCHNEST_DOCKER_CLI]}" == *podman ]]
}

# fetch FILE: from the folder this script lies in, else from the server.
fetch() {
  local options=(--disable --silent --show-error --fail --globoff --connect-timeout 10 --max-time 60)
  local url="${setting[ARCHNEST_URL]}/agent/$1" answer code=0
  if [[ -n "$beside" ]]; then cp "$beside/$1" "$stage/$1"; return; fi
  [[ -z "${setting[ARCHNEST_CA_FILE]}" ]] || options+=(--cacert "${setting[ARCHNEST_CA_FILE]}")
  answer="$(curl "${options[@]}" --output "$stage/$1" --write-out '%{http_code} %{redirect_url}' "$url" 2>"$stage/said")" || code=$?
  [[ "$code" != 22 ]] || fail 6 "the server answered ${answer%% *} for $url; is ARCHNEST_URL right?"
  [[ "$code" == 0 ]] || fail 5 "the server cannot be reached: $(<"$stage/said")"
  # The agent follows no redirect, for it would send the token after it.
  [[ "$answer" == 200* ]] || fail 3 "$url leads to ${answer#* }: use that server's address as ARCHNEST_URL"
}

# fetch_files: all that will be installed, before any of it is.
fetch_files() {
  local source="${BASH_SOURCE[0]:-}"
  beside=''
  if [[ -f "$source" && -f "$(dirname "$source")/$AGENT" ]]; then beside="$(dirname "$source")"; fi
  fetch "$AGENT"
  if [[ "$(head -c 2 "$stage/$AGENT")" != '#!' ]] || ! bash -n "$stage/$AGENT" 2>/dev/null; then
    fail 6 "${setting[ARCHNEST_URL]}/agent/$AGENT is not the agent; is ARCHNEST_URL right?"
  fi
  local service="$UNIT.service"
  ! is_podman || service="$UNIT-podman.service"
  [[ "$scope" == root ]] || service="$UNIT-user.service"
  fetch cron.example
  fetch "$UNIT.timer"
  fetch "$service"
  [[ "$service" == "$UNIT.service" ]] || mv "$stage/$service" "$stage/$UNIT.service"
}

# stage_settings: the settings file as it will be; what else the old one holds stays.
stage_settings() {
  local line name value
  if [[ -n "${setting[ARCHNEST_CA_FILE]}" ]]; then
    # A copy: the one given may lie in /tmp, which the service does not see.
    cat "${setting[ARCHNEST_CA_FILE]}" >"$stage/ca.pem"
    setting[ARCHNEST_CA_FILE]="$config/ca.pem"
  fi
  {
    if [[ -r "$env_file" ]]; then
      grep -Ev "^("$'\xef\xbb\xbf'")?[[:space:]]*(export[[:space:]]+)?($(IFS='|'; printf '%s' "${NAMES[*]}"))=" "$env_file" || true
    else
      printf '# Settings of the ArchNest agent, made by install.sh; docs/agent.md explains them.\n'
    fi
    for name in "${NAMES[@]}"; do
      value="${setting[$name]}"
      # The outermost quotes are taken off and nothing within is expanded.
      [[ -z "$value" ]] || printf "%s='%s'\n" "$name" "$value"
    done
  } >"$stage/agent.env"
}

# run_agent AGENT SETTINGS ARG...: with as little around it as a timer gives.
run_agent() {
  local script="$1" file="$2"
  shift 2
  env -i PATH="$PATH" HOME="${HOME:-/root}" ${XDG_RUNTIME_DIR+XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR"} \
    ${ca_file:+ARCHNEST_CA_FILE="$ca_file"} ARCHNEST_AGENT_ENV="$file" bash "$script" "$@"
}

# check_staged: what --check says of the staged agent and settings.
check_staged() {
  local code=0 ca_file=''
  [[ ! -e "$stage/ca.pem" ]] || ca_file="$stage/ca.pem"
  run_agent "$stage/$AGENT" "$stage/agent.env" --check || code=$?
  [[ "$code" != 0 ]] || return 0
  if [[ "$code" == 4 && "$scope" == root ]]; then
    compgen -G '/run/user/*/docker.sock' >/dev/null \
      && say "rootless Docker runs here: as its user, without sudo, use bash -s -- --user" >&2
  fi
  [[ "$action" == install ]] || exit "$code"
  if ((upgrade)); then fail "$code" 'nothing was changed; the agent that was installed goes on'; fi
  fail "$code" 'nothing was installed'
}

# put FILE MODE TO: in one step, with the security context of its folder.
put() {
  cat "$stage/$1" >"$3.new"
  chmod "$2" "$3.new"
  mv -f "$3.new" "$3"
}

# place_files: the agent and its settings.
place_files() {
  (umask 022; mkdir -p "$bin")
  mkdir -p "$config"
  chmod 700 "$config"
  put "$AGENT" 755 "$agent"
  [[ ! -e "$stage/ca.pem" ]] || put ca.pem 644 "$config/ca.pem"
  put agent.env 600 "$env_file"
}

# has_systemd: whether it runs here and takes units of this scope.
has_systemd() {
  [[ -d /run/systemd/system ]] && has systemctl || return 1
  [[ "$scope" == root ]] || systemctl --user show-environment >/dev/null 2>&1
}

# schedule: a timer, else cron, else advice; leaves `how`.
schedule() {
  remove_crontab
  if has_systemd; then
    schedule_timer
  elif [[ "$scope" == root && -d /etc/cron.d ]] && reads_cron_d; then
    put cron.example 644 "$cron_file"
    how="cron runs it every 30 s: $cron_file"
  elif has crontab; then
    add_crontab
    how='cron runs it every 30 s: crontab -l shows the lines'
    cron_runs || how+="
archnest: no cron daemon runs yet: rc-update add crond && rc-service crond start, or the like"
  else
    how="nothing starts it: neither systemd nor cron is here. Let whatever starts programs run
archnest:   $agent --loop 30"
  fi
}

# schedule_timer: systemd's own way, with one run at once that shows that it works.
schedule_timer() {
  local timer="$UNIT.timer"
  (umask 022; mkdir -p "$units")
  put "$UNIT.service" 644 "$units/$UNIT.service"
  put "$timer" 644 "$units/$timer"
  "${systemctl[@]}" daemon-reload
  "${systemctl[@]}" start "$UNIT.service" \
    || fail 1 "the agent fails as a service, so its timer is not enabled: ${systemctl[*]} status $UNIT.service"
  "${systemctl[@]}" --quiet enable --now "$timer" || fail 1 "systemd does not take $units/$timer"
  # Of an installation by hand; both would run.
  [[ "$scope" == user ]] || rm -f "$cron_file"
  how="systemd runs it every 30 s: ${systemctl[*]} list-timers $timer"
  [[ "$scope" == root ]] || how+="
archnest: it stops when you sign out, unless root once runs: loginctl enable-linger $(id -un)"
}

# reads_cron_d: whether the cron that is here reads /etc/cron.d; busybox's does not.
reads_cron_d() {
  local daemon
  daemon="$(command -v cron || command -v crond)" || return 1
  [[ "$(readlink -f "$daemon")" != *busybox* ]]
}

# cron_runs: whether a cron daemon is at work.
cron_runs() {
  local name
  for name in /proc/[0-9]*/comm; do
    [[ "$(cat "$name" 2>/dev/null)" != cron* ]] || return 0
  done
  return 1
}

# add_crontab: two marked lines at the end of this user's crontab.
add_crontab() {
  local run="ARCHNEST_AGENT_ENV='$env_file' '$agent'"
  [[ "$scope" == root ]] || run="XDG_RUNTIME_DIR='${XDG_RUNTIME_DIR:-/run/user/$UID}' $run"
  {
    crontab -l 2>/dev/null || true
    printf '* * * * * %s %s\n' "$run" "$MARK"
    printf '* * * * * sleep 30; %s %s\n' "$run" "$MARK"
  } >"$stage/crontab"
  crontab "$stage/crontab"
}

# remove_crontab: take the marked lines out, and leave the others as they are.
remove_crontab() {
  local lines
  has crontab && lines="$(crontab -l 2>/dev/null)" || return 0
  [[ "$lines" == *"$MARK"* ]] || return 0
  lines="$(grep -vF "$MARK" <<<"$lines" || true)"
  if [[ -n "$lines" ]]; then crontab - <<<"$lines"; else crontab -r; fi
}

# tell: what was done, and how to undo it.
tell() {
  local verb='installed' again='sudo bash' curl='curl -fsSL'
  ((upgrade == 0)) || verb='upgraded'
  [[ "$scope" == root ]] || again='bash'
  [[ -z "${setting[ARCHNEST_CA_FILE]}" ]] || curl+=" --cacert ${setting[ARCHNEST_CA_FILE]}"
  say "$verb $("$agent" --version) as ${setting[ARCHNEST_HOST_ID]:-$HOSTNAME}; the server has taken a report"
  say "agent     $agent"
  say "settings  $env_file (only for $(id -un), for the token is in it)"
  say "$how"
  say "to undo   $curl ${setting[ARCHNEST_URL]}/agent/install.sh | $again -s -- ${scope_option}--uninstall"
}

# uninstall: remove every trace, as far as there is one.
uninstall() {
  local file
  if has systemctl && [[ -e "$units/$UNIT.timer" ]]; then
    "${systemctl[@]}" --quiet disable --now "$UNIT.timer" || true
    "${systemctl[@]}" stop "$UNIT.service" 2>/dev/null || true
  fi
  remove_crontab
  for file in "$units/$UNIT.timer" "$units/$UNIT.service" "$agent" "$env_file" "$config/ca.pem"; do
    rm -f "$file"
  done
  [[ "$scope" == user ]] || rm -f "$cron_file"
  [[ ! -d "$config" ]] || rmdir "$config" 2>/dev/null || say "$config holds files that are not the agent's: kept"
  [[ "$scope" == user ]] || rm -rf /run/archnest-agent
  rm -f /run/user/"$UID"/archnest-agent-"$UID"-*.lock /tmp/archnest-agent-"$UID"-*.lock
  if has systemctl && [[ -d /run/systemd/system ]]; then
    "${systemctl[@]}" daemon-reload || true
    "${systemctl[@]}" reset-failed "$UNIT.service" 2>/dev/null || true
  fi
  say 'removed the agent, its settings and its timer; the server still shows the host until you forget it there'
}

main() {
  parse_options "$@"
  settle_scope
  scope_option=''
  [[ "$scope" == root ]] || scope_option='--user '
  if [[ "$action" == uninstall ]]; then uninstall; return 0; fi
  upgrade=0
  [[ ! -e "$agent" ]] || upgrade=1
  take_settings
  require_tools
  choose_engine
  umask 077
  stage="$(mktemp -d)"
  trap 'rm -rf "$stage"' EXIT
  fetch_files
  stage_settings
  check_staged
  [[ "$action" == install ]] || return 0
  place_files
  schedule
  tell
}

# In braces, or a line cut after "main" would run it without its options.
{ main "$@"; }
