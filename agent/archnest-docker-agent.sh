#!/usr/bin/env bash
# archnest-docker-agent: report this host's containers to an ArchNest server.
#
# usage: archnest-docker-agent.sh [--print | --loop SECONDS | --check | --version | --help]
#   (nothing)        gather once and post one report
#   --print          write the report to stdout and send nothing
#   --loop SECONDS   post a report every SECONDS until ended
#   --check          verify tools, engine, settings and server, line by line
#
# settings, from the environment or from /etc/archnest/agent.env (0600):
#   ARCHNEST_URL           address of the server, as in http://nest.lan:4000
#   ARCHNEST_AGENT_TOKEN   the agent token
#   ARCHNEST_HOST_ID       name of this host on the page; default: its hostname
#   ARCHNEST_CA_FILE       CA certificate to trust for https
#   ARCHNEST_TIMEOUT_S     longest wait for one command or the server; default 10
#   ARCHNEST_DOCKER_CLI    docker, or podman; default docker
#   ARCHNEST_AGENT_ENV     another file than /etc/archnest/agent.env
#
# exit: 0 posted, 2 missing tool, 3 wrong settings, 4 engine unreachable,
#   5 server unreachable, 6 server refused, 75 another run holds the lock
#
# Secrets are masked before anything leaves this host. It needs no open port
# and starts the same number of processes for one container and for thousands.
set -euo pipefail

readonly AGENT_VERSION=1
readonly DEFAULT_INTERVAL_S=30
readonly MAX_CONTAINERS=5000
readonly TOOLS=(curl jq gzip flock timeout mktemp)
# curl's code and the HTTP status after which trying again may help.
readonly TRANSIENT='^(0 50[24]|(5|6|7|18|28|35|52|55|56|124) .*)$'
readonly USAGE='usage: archnest-docker-agent.sh [--print | --loop SECONDS | --check | --version | --help]'

# What jq makes of the gathered files; see docs/agent.md for every rule. It spends
# as long on reading the program as on a hundred containers, so what only the text
# of a CLI needs is left out elsewhere. In its strings \u0027 is a single quote, for
# bash reads a here-document a byte at a time.
# shellcheck disable=SC2016 # the dollars are jq's
{
# Regular expressions are those of server/archnest/masking.py.
readonly MASKING='def secret: "[Pp][Aa][Ss][Ss]|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn]|[Kk][Ee][Yy]"
  + "|[Pp][Rr][Ii][Vv][Aa][Tt][Ee]|[Cc][Rr][Ee][Dd][Ee][Nn][Tt][Ii][Aa][Ll]";
def is_secret: test(secret);
def after_port: "(?:[/?#\"\u0027 \\t\\r\\n\\f\\x0b]|\\z)";
def mask_userinfo:
  [match("^(?!\\[[0-9A-Fa-f:.]*\\](?::[0-9]{1,5})?" + after_port + ")(?:[^ \\t\\r\\n\\f\\x0b/?#:]+:(?![0-9]{1,5}" + after_port + ")|:)(?<password>[^ \\t\\r\\n\\f\\x0b]+)@")]
  | if length == 0 then null else .[0].captures[0] end;
def mask_urls: split("://") as $parts
  | reduce range(1; $parts | length) as $i ($parts[0];
      $parts[$i] as $part
      | (if $parts[$i - 1] | test("[A-Za-z0-9+.-]\\z") then $part | mask_userinfo else null end) as $found
      | . + "://" + (if $found == null then $part
          else $part[:$found.offset] + "********" + $part[$found.offset + $found.length:] end));
def name: "--?(?=[A-Z0-9_.-]*?(?:PASS|SECRET|TOKEN|KEY|PRIVATE|CREDENTIAL))[A-Z0-9][A-Z0-9_.-]*";
def option: "(?<![^ \\t\\r\\n\\f\\x0b\u0027\"=,;(\\[{&|`])" + name
  + "(?:=|[ \\t\\r\\n]+(?!--|-[^ \\t\\r\\n\\f\\x0b\u0027\"]{0,7}(?:[ \\t\\r\\n\\f\\x0b\u0027\"]|\\z)))"
  + "(?<value>\\*{8}(?=[ \\t\\r\\n\\f\\x0b\u0027\"]|\\z)|(?:\u0027[^\u0027]*\u0027|\"(?:\\\\(?:.|\\n)|[^\"\\\\])*\"|\\\\(?:.|\\n)|[^ \\t\\r\\n\\f\\x0b\u0027\"\\\\])+|[\u0027\"](?:.|\\n)*)";
def mask_options: . as $text
  | reduce ([match(option; "gi").captures[0]] | reverse[]) as $value ($text;
      .[:$value.offset] + "********" + .[$value.offset + $value.length:]);
# jq counts from the start of the text for every match: a text made to have
# thousands of them would take minutes, so such a one is secret as a whole.
def is_hostile: length > 4096 and (ascii_upcase | [split("PASS", "SECRET", "TOKEN", "KEY", "PRIVATE", "CREDENTIAL")
  | length - 1] | add > 200);
def mask_text: (if length > 65536 then .[:65536] else . end)
  | (if contains("://") then mask_urls else . end)
  | if contains("-") and is_secret then if is_hostile then "********" else mask_options end else . end;
def cut: if length > 32768 then .[:32767] + "…" else . end;
# jq needs 30 µs to search one text and 20 µs to work on one entry, and hosts have
# thousands: distinct keys and variables are worked on once, labels seldom at all.
def secret_keys: reduce (unique[] | select(is_secret)) as $key ({}; .[$key] = true);
def mask($key; $secret): if $secret[$key] then "********" else mask_text | cut end;
def variables: ([.[] | split("=")[0] // ""] | secret_keys) as $secret | reduce .[] as $one ({};
  . + ($one | (split("=")[0] // "") as $key
    | {($one): {key: ($key | cut), value: (if . == $key then "" else ltrimstr($key + "=") end | mask($key; $secret))}}));
# In JSON a text ends with the first quote that follows no backslash.
def is_innocent: length <= 1000 and (tojson | length <= 32768
  and (test(secret + "|://(?:[^\"\\\\]|\\\\.)*@|\":[^\"]") | not));
def masked_labels: if is_innocent then . else . as $labels | keys_unsorted[:1000] | secret_keys as $secret
  | reduce .[] as $key ({}; . + {($key | cut): ($labels[$key] | tostring | mask($key; $secret))}) end;
def text: if . == null then null else tostring | cut end;
def listed: if length > 1000 then .[:1000] else . end;
# jq 1.6 writes 100000000000000000 as 1e+17, which is no whole number to a reader.
def whole: if type == "number" and . >= 0 and . < 1e17 then floor else null end;
def are_times: tojson | test("\\A\\[(?:\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})\",?)*\\]\\z");
def time($sure): if type == "string" and (startswith("0001-01-01T") | not) and ($sure or ([.] | are_times)) then . else null end;
def quoted: if test("\\A(?:[A-Za-z0-9_@%+=:,./-]|\\*{8})+\\z") then . else "\u0027" + (split("\u0027") | join("\u0027\\\u0027\u0027")) + "\u0027" end;
def mask_argument: (if startswith("-") and is_secret then [match("\\A" + name + "=(?=.|\\n)"; "i").string] else [] end) as $option
  | if $option == [] then mask_text | cut else $option[0] + "********" end;
def words: if . == null then "" elif type == "string" then .
  elif tojson | test("\\A\\[(?:\"[A-Za-z0-9_@%+=:,./-]+\",?)*\\]\\z") then join(" ")
  else map(tostring | mask_argument | quoted) | join(" ") end | mask_text | cut;
def some: if . == "" then null else . end;
def percent: if type == "number" then . elif type == "string" then (rtrimstr("%") | tonumber? // null) else null end
  | if . == null or . < 0 then null else . * 10000 | round / 10000 end;
'
readonly PRINTED='# Sizes as the CLIs print them: 1.5kB, 1e+03kB, 3.2MiB, --.
def unit: {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15,
  "KiB": 1024, "MiB": 1048576, "GiB": 1073741824, "TiB": 1099511627776, "PiB": 1125899906842624}[.];
def bytes: [match("\\A *([0-9.]+(?:e[+-]?[0-9]+)?) *([A-Za-z]+) *\\z")]
  | if length == 0 then null else .[0].captures
      | (.[0].string | tonumber? // null) as $n | (.[1].string | unit) as $u
      | if $n == null or $u == null then null else ($n * $u) | round | whole end end;
def pair($i): if type == "string" then (split("/")[$i] // "") | bytes else null end;
def printed: {cpuPercent: (.CPUPerc // .cpu_percent | percent),
  memUsage: (.MemUsage // .mem_usage | pair(0)), memLimit: (.MemUsage // .mem_usage | pair(1)),
  netRxBytes: (.NetIO // .net_io | pair(0)), netTxBytes: (.NetIO // .net_io | pair(1)),
  blockReadBytes: (.BlockIO // .block_io | pair(0)), blockWriteBytes: (.BlockIO // .block_io | pair(1)),
  pids: (.PIDs // .pids | tonumber? // null | whole), printed: true};
def near($whole): if $whole > 0 and (. / $whole - 1 | fabs) < 0.005 then $whole else null end;
# The CLI rounds the limit that the engine holds exactly, and prints zeros for what
# has just stopped.
def settled($one; $memory): if .printed | not then . else del(.printed)
  | if .pids == 0 then map_values(null) else . end
  | if .memLimit == 0 then .memUsage = null | .memLimit = null else . end
  | .memLimit |= if . == null then null
      else near($one.HostConfig.Memory // 0) // near($memory // 0) // . end end;
'
readonly UNPRINTED='def printed: null; def settled($one; $memory): .;'
readonly ASSEMBLE='# The formulas of docker/cli, cli/command/container/stats_helpers.go.
def cpu: .cpu_stats as $now | .precpu_stats as $before
  | (($now.cpu_usage.total_usage // 0) - ($before.cpu_usage.total_usage // 0)) as $used
  | (($now.system_cpu_usage // 0) - ($before.system_cpu_usage // 0)) as $passed
  | ($now.online_cpus // ($now.cpu_usage.percpu_usage // [] | length)) as $cores
  | if ($before.system_cpu_usage // 0) <= 0 or $passed <= 0 or $used < 0 or $cores == 0 then null
    else $used / $passed * $cores * 100 | percent end;
def memory: .usage as $usage | if $usage == null then null
  elif (.stats.total_inactive_file // $usage) < $usage then $usage - .stats.total_inactive_file
  elif (.stats.inactive_file // $usage) < $usage then $usage - .stats.inactive_file
  else $usage end | whole;
def blocks($lower; $upper): .blkio_stats.io_service_bytes_recursive
  | if . == null then null else [.[] | select(.op[:1] as $first | $first == $lower or $first == $upper) | .value] | add // 0 | whole end;
def exact: {cpuPercent: cpu, memUsage: (.memory_stats // {} | memory), memLimit: (.memory_stats.limit | whole),
  netRxBytes: (if .networks then [.networks[].rx_bytes] | add | whole else null end),
  netTxBytes: (if .networks then [.networks[].tx_bytes] | add | whole else null end),
  blockReadBytes: blocks("r"; "R"), blockWriteBytes: blocks("w"; "W"), pids: (.pids_stats.current | whole)};
def sample: if has("cpu_stats") then select((.read // "") | startswith("0001-") | not) | exact else printed end;
def ports: [(.NetworkSettings.Ports // {}) | to_entries[] | (.key | split("/")) as $inner
  | {containerPort: ($inner[0] | tonumber? // null), proto: ($inner[1] // "tcp")} as $port
  | select($port.containerPort != null)
  | if (.value // []) == [] then $port + {hostIp: null, hostPort: null}
    else .value[] | $port + {hostIp: (.HostIp | some // "0.0.0.0"), hostPort: (.HostPort | tonumber? // null)} end] | listed;
def networks: [(.NetworkSettings.Networks // {}) | to_entries[]
  | {name: (.key | text), ip: ((.value.IPAddress | some) // (.value.GlobalIPv6Address | some))}] | listed;
def mounts: [(.Mounts // [])[] | {type: (.Type // "bind"), destination: (.Destination // "" | text),
    source: (if .Type == "volume" then .Name // .Source else .Source end | some | text), rw: .RW}] as $mounts
  | $mounts + [(.HostConfig.Tmpfs // {}) | to_entries[]
      | select(.key as $path | [$mounts[] | select(.destination == $path)] == [])
      | {type: "tmpfs", destination: (.key | text), source: null,
         rw: ([.value // "" | split(",")[] | select(. == "ro")] == [])}] | sort_by(.destination) | listed;
def restart_policy: .HostConfig.RestartPolicy | (.Name | some) as $name
  | if $name == null then "no" elif $name == "on-failure" and (.MaximumRetryCount // 0) > 0
    then "on-failure:\(.MaximumRetryCount)" else $name end;
def exit_code: .State | if ["running", "paused", "initialized", "stopping"][[.Status]] != []
  or (.Status == "created" and .ExitCode == 0) then null else .ExitCode end;
# The CLI prints 0 for a network that is not the container\u0027s own, and the engine counts another\u0027s.
def shares_network: .HostConfig.NetworkMode // "" | . == "none" or . == "host" or startswith("container:");
# In the order in which the server stores it, which so need not read all of it again.
def container($seen; $stats; $memory; $variables; $sure): . as $one | {id: .Id, name: (.Name // "" | ltrimstr("/") | text),
  image: (.Config.Image // .ImageName // .Image // "" | text),
  state: (.State.Status // $seen.state // ""), status: ($seen.status | some),
  createdAt: (.Created | time($sure)), startedAt: (.State.StartedAt | time($sure)),
  finishedAt: (.State.FinishedAt | time($sure)),
  exitCode: exit_code, oomKilled: .State.OOMKilled,
  restartCount: (.RestartCount | whole), restartPolicy: restart_policy,
  health: ((.State.Health // .State.Healthcheck // {}).Status | some // "none"),
  ports: ports, networks: networks, labels: (.Config.Labels // {} | masked_labels),
  imageId: (.Image | if length == 64 then "sha256:" + . else text end), mounts: mounts, env: ([(.Config.Env // [] | listed)[] | $variables[.]] | sort_by(.key)),
  entrypoint: (.Config.Entrypoint | words), command: (.Config.Cmd | words),
  stats: (if .State.Status == "running" then $stats[.Id[:12]] // null else null end
    | if . == null then null else settled($one; $memory)
      | if $one | shares_network then .netRxBytes = null | .netTxBytes = null else . end end)};
# What `ps` alone tells of a container that cannot be inspected; podman gives
# its status for its state.
def state_word: ascii_downcase | split(" ")[0] // "" | if . == "up" then "running" else . end;
def unreadable: {id, name: (.name | text), image: (.image | text), state, status: (.status | some)};
def engine($info; $version): {version: ($version.Version // $info.ServerVersion // $info.version.Version),
  apiVersion: ($version.ApiVersion // $info.version.APIVersion),
  os: ($info.OperatingSystem // ($info.host.distribution | if . then "\(.distribution) \(.version)" else null end)),
  kernel: ($info.KernelVersion // $info.host.kernel), arch: ($info.Architecture // $info.host.arch),
  cpus: ($info.NCPU // $info.host.cpus), memTotal: ($info.MemTotal // $info.host.memTotal),
  id: ($info.ID | some)};

($listing | split("\n") | map(split("\t") | select(length == 5)
  | {id: .[0], name: .[1], image: .[2], state: (.[3] | state_word), status: .[4]})[:$most]) as $seen
| [answers | objects] as $answers
| (reduce ($answers[] | select(has("cpu_stats") or has("CPUPerc") or has("cpu_percent"))
    | {((.ID // .Container // .id // .Id // "")[:12]): sample}) as $one ({}; . + $one)) as $stats
| ([$answers[] | select(has("NCPU") or has("host"))][0]) as $info
| ([$answers[] | select(has("ApiVersion"))][0]) as $version
| engine($info; $version) as $engine
| (($inspected[0] // []) + [$answers[] | select(has("State"))]) as $inspected
| ([$inspected[] | (try .Config.Env catch null) | arrays[] | strings] | unique | variables) as $variables
| ([$inspected[] | try (.Created, (.State | .StartedAt, .FinishedAt)) catch empty | strings] | are_times) as $sure
| (reduce $seen[] as $one ({}; . + {($one.id): $one})) as $by_id
| (reduce $inspected[] as $one ({}; . + {($one.Id): true})) as $known
| ([($errors | split("\n"))[], ($answers[].message | strings) | select(test("no such"; "i"))]) as $vanished
| {hostId: $host_id, hostname: $hostname, agentVersion: $agent_version, reportedAt: $now,
   engine: $engine, marks: {bootId: ($boot_id | some), machineId: ($machine_id | some)},
   containers: ([$inspected[] | . as $one | try container($by_id[$one.Id]; $stats; $engine.memTotal; $variables; $sure) catch ($by_id[$one.Id] | unreadable)]
     + [$seen[] | . as $one | select($known[.id] == null and ([$vanished[] | select(contains($one.id))] == [])) | unreadable])}
'
}

# log TEXT: one line on stderr.
log() {
  printf 'archnest-agent: %s\n' "$1" >&2
}

# die CODE TEXT: say why and end.
die() {
  log "$2"
  exit "$1"
}

# printable TEXT: the text without control characters, shortened.
printable() {
  local text="${1//[[:cntrl:]]/ }"
  printf '%s' "${text:0:500}"
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

# load_settings: read the env file for what the environment does not say.
load_settings() {
  # In Turkish, I does not lie between A and Z.
  local file="${ARCHNEST_AGENT_ENV:-/etc/archnest/agent.env}" line name value LC_ALL=C
  [[ -n "${ARCHNEST_AGENT_ENV:-}" || -e "$file" ]] || return 0
  [[ -r "$file" ]] || die 3 "the settings file $file cannot be read"
  while IFS= read -r line || [[ -n "$line" ]]; do
    # An editor may have put a byte order mark before the first.
    [[ "${line#$'\xef\xbb\xbf'}" =~ ^[[:space:]]*(export[[:space:]]+)?(ARCHNEST_[A-Z_]+|DOCKER_HOST)=(.*)$ ]] || continue
    name="${BASH_REMATCH[2]}" value="${BASH_REMATCH[3]}"
    unquote
    [[ -n "${!name:-}" ]] || export "$name=$value"
  done <"$file"
}

# apply_settings: fill in the defaults and refuse what is wrong.
apply_settings() {
  local LC_ALL=C
  cli="${ARCHNEST_DOCKER_CLI:-docker}"
  hostname="${HOSTNAME:-}"
  [[ -n "$hostname" ]] || read -r hostname </proc/sys/kernel/hostname
  host_id="${ARCHNEST_HOST_ID:-$hostname}"
  timeout_s="${ARCHNEST_TIMEOUT_S:-10}"
  url="${ARCHNEST_URL:-}"
  url="${url%/}"
  # What is printed of it; there may be a password before the @.
  shown_url="${url/\/\/*@///}"
  token="${ARCHNEST_AGENT_TOKEN:-}"
  # Children need none of it, and a process's environment outlives its use.
  unset ARCHNEST_AGENT_TOKEN
  [[ "$host_id" =~ ^[A-Za-z0-9._-]{1,128}$ && "$host_id" != . && "$host_id" != .. ]] \
    || die 3 "ARCHNEST_HOST_ID must be 1 to 128 of A-Z a-z 0-9 . _ - and is '$(printable "$host_id")'"
  [[ "$timeout_s" =~ ^[1-9][0-9]{0,3}$ ]] \
    || die 3 "ARCHNEST_TIMEOUT_S must be a whole number of seconds from 1"
  [[ -z "${ARCHNEST_CA_FILE:-}" || -r "$ARCHNEST_CA_FILE" ]] \
    || die 3 "ARCHNEST_CA_FILE must be a readable file and $ARCHNEST_CA_FILE is not"
}

# require_server: refuse to post without an address and a token.
require_server() {
  [[ "$url" =~ ^https?://[^[:space:]]+$ ]] \
    || die 3 "ARCHNEST_URL must be the server's address, as in http://nest.lan:4000"
  [[ "$token" =~ ^[[:graph:]]+$ ]] || die 3 "ARCHNEST_AGENT_TOKEN must hold the agent token"
}

# missing_tools: a line for each tool that is not here.
missing_tools() {
  local tool package
  for tool in "$cli" "${TOOLS[@]}"; do
    command -v "$tool" >/dev/null 2>&1 && continue
    case "$tool" in
      docker) package='the Docker CLI: https://docs.docker.com/engine/install/' ;;
      flock) package='apt-get install util-linux, dnf install util-linux or apk add flock' ;;
      timeout | mktemp) package='apt-get, dnf or apk install coreutils' ;;
      *) package="apt-get install $tool, dnf install $tool or apk add $tool" ;;
    esac
    printf 'missing tool %s: %s\n' "$tool" "$package"
  done
}

# require_tools: end with the list of what is missing.
require_tools() {
  hash "$cli" "${TOOLS[@]}" 2>/dev/null || { missing_tools >&2; exit 2; }
}

# take_lock: end with 75 when another run for this host holds it.
take_lock() {
  # One place, whatever starts it. Where others may write they could hold the lock:
  # for root /tmp is the last resort.
  local folder="/run/user/$UID" file
  if [[ "$UID" == 0 ]]; then
    folder=/run/archnest-agent
    [[ -d "$folder" ]] || mkdir -p "$folder" 2>/dev/null || true
  fi
  [[ -d "$folder" && -w "$folder" ]] || folder="${RUNTIME_DIRECTORY:-/tmp}"
  file="$folder/archnest-agent-$UID-$host_id.lock"
  { exec {lock}>>"$file"; } 2>/dev/null || die 3 "the lock $file cannot be opened"
  flock -n "$lock" || die 75 "another run for $host_id is still at work"
}

# bounded COMMAND ARG...: run it within the timeout and this run's end.
# In the background, for bash runs a trap only after a command in front of it
# ends. The lock is not handed down, or a hung child would hold it on.
bounded() {
  local left=$((deadline - SECONDS))
  ((left > timeout_s)) && left="$timeout_s"
  ((left > 0)) || left=1
  if [[ -n "${lock:-}" ]]; then
    timeout -k 2 "$left" "$@" {lock}>&- &
  else
    timeout -k 2 "$left" "$@" &
  fi
  child=$!
  wait "$child"
}

# engine_failed CODE WHAT: end with what the engine said, or that it hung.
engine_failed() {
  local said=''
  [[ "$1" == 124 || "$1" == 137 ]] && die 4 "the engine did not answer '$cli $2' within ${timeout_s} s"
  IFS= read -r -d '' said <"$work/errors" || true
  die 4 "the engine cannot be reached: $(printable "$said")"
}

# list_containers: every container's id, name, image, state and status.
list_containers() {
  local code=0
  bounded "$cli" ps -a --no-trunc --format '{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.State}}\t{{.Status}}' \
    >"$work/listing" 2>"$work/errors" || code=$?
  [[ "$code" == 0 ]] || engine_failed "$code" ps
  # bash searches bytes far faster than characters.
  local line lines LC_ALL=C
  mapfile -t lines <"$work/listing"
  ids=() running=()
  for line in ${lines[@]+"${lines[@]}"}; do
    ((${#ids[@]} < MAX_CONTAINERS)) || { log "only the first $MAX_CONTAINERS containers are reported"; break; }
    ids+=("${line%%$'\t'*}")
    [[ "$line" == *$'\t'Up* && "$line" != *'(Paused)' ]] && running+=("${ids[-1]}")
  done
  return 0
}

# ask_socket: about the engine and all containers, in one process on one
# connection. Returns 1 when nothing answered, as with a closed socket.
# One that hangs costs only itself; its place is an empty line.
ask_socket() {
  {
    printf 'url = "http://localhost/%s"\n' version info
    ((${#ids[@]} == 0)) || printf 'url = "http://localhost/containers/%s/json"\n' "${ids[@]}"
  } >"$work/urls"
  bounded curl --disable --silent --no-buffer --write-out '\n' --max-time "$(((timeout_s + 2) / 3))" \
    --unix-socket "$socket" --config "$work/urls" >"$work/told" 2>/dev/null || true
  IFS= read -r -d '{' _ <"$work/told"
}

# inspect_containers: all of them in one call; those that vanished are left out.
inspect_containers() {
  local code=0
  printf '[]' >"$work/inspected"
  : >"$work/errors"
  : >"$work/told"
  if [[ -n "$socket" ]] && ask_socket; then return 0; fi
  socket=''
  ((${#ids[@]} > 0)) || return 0
  bounded "$cli" inspect --type container "${ids[@]}" >"$work/inspected" 2>"$work/errors" || code=$?
  [[ "$code" != 124 && "$code" != 137 ]] || engine_failed "$code" inspect
  # Nothing at all came, and not because all have vanished: the engine itself is gone.
  if [[ "$code" != 0 ]] && ! grep -q '"Id"' "$work/inspected" && ! grep -qi 'no such' "$work/errors"; then
    engine_failed "$code" inspect
  fi
}

# find_socket: the unix socket the CLI would use, if this user may; else empty.
find_socket() {
  local found='' context="${DOCKER_CONFIG:-${HOME:-/root}/.docker}/config.json"
  socket=''
  if [[ "$cli" != *docker || -n "${DOCKER_CONTEXT:-}" ]]; then return 0; fi
  case "${DOCKER_HOST:-}" in
    unix://*) found="${DOCKER_HOST#unix://}" ;;
    '') found=/var/run/docker.sock
      # Another context may be another engine altogether.
      if [[ -r "$context" && "$(<"$context")" == *'"currentContext"'* ]]; then return 0; fi ;;
  esac
  [[ ! -S "$found" || ! -r "$found" || ! -w "$found" ]] || socket="$found"
}

# sample_socket: exact counters of all running containers, in one process.
# Without `one-shot` the engine takes two samples itself, as `docker stats` does.
# Returns 1 when nothing answered, as with a curl too old for it.
sample_socket() {
  local path line sampled=0 most="${#running[@]}" LC_ALL=C
  ((most > 0)) || return 0
  # curl puts what stands in its braces for #1.
  printf 'url = "http://localhost/containers/{%s}/stats?stream=false"\noutput = "'"${work//%/%%}"'/sample-#1"\n' \
    "${running[@]}" >"$work/urls"
  bounded curl --disable --silent --parallel --parallel-immediate --parallel-max 300 --max-time "$timeout_s" \
    --unix-socket "$socket" --config "$work/urls" 2>/dev/null || true
  for path in "$work/sample-"*; do
    [[ -e "$path" ]] || return 1
    # The last line may be cut; a line break keeps it from spoiling the next.
    IFS= read -r line <"$path" || true
    [[ "$line" != *'"cpu_stats"'* ]] || sampled=$((sampled + 1))
    printf '%s\n' "$line"
  done >"$work/answers.jsonl"
  ((sampled >= most)) || log "the engine gave stats of $sampled of $most running containers within ${timeout_s} s"
}

# ask_cli: what the CLI prints, rounded; used where no socket can be asked.
ask_cli() {
  local server=null format='{{json .}}'
  {
    if [[ "$cli" != *podman ]]; then
      bounded "$cli" version --format '{{json .Server}}' >"$work/version" || true
      IFS= read -r server <"$work/version" || true
      printf '%s\n' "$server"
    fi
    # Podman has no server, under docker's name (package podman-docker) neither.
    [[ "$server" != null ]] || format=json
    bounded "$cli" info --format "$format" || true
    ((${#running[@]} == 0)) || print_stats "$format" || log "'$cli stats' gave nothing within ${timeout_s} s"
  } >"$work/answers.jsonl" 2>"$work/stats_errors"
  grep '^archnest-agent: ' "$work/stats_errors" >&2 || true
}

# print_stats FORMAT: JSON for each container.
# Podman's is of the second of two samples, a second apart. The first one, which
# --no-stream gives alone, holds the average CPU since the container's start.
# Without a second the rest of the first is told.
print_stats() {
  local longest="$timeout_s"
  [[ "$1" == json ]] || { bounded "$cli" stats --no-stream --no-trunc --format "$1"; return; }
  timeout_s=4
  bounded "$cli" stats --interval 1 --format json >"$work/samples" || true
  timeout_s="$longest"
  [[ -s "$work/samples" ]] || bounded "$cli" stats --no-stream --format json >"$work/samples" || return 1
  jq -nc '[limit(2; try inputs catch empty)] | if length > 1 then .[1][]
    else .[0][] | if .avg_cpu == .cpu_percent then .cpu_percent = null else . end end' "$work/samples"
}

# collect_stats: answers about the engine and its running containers.
collect_stats() {
  : >"$work/answers.jsonl"
  counters="$UNPRINTED"
  if [[ -n "$socket" ]] && sample_socket; then return 0; fi
  counters="$PRINTED"
  ask_cli
}

# read_marks: what tells this machine from a copy of it that has the same
# ARCHNEST_HOST_ID. machine-id(5) asks not to tell the id itself.
read_marks() {
  local id=''
  boot_id='' machine_id=''
  { read -r boot_id </proc/sys/kernel/random/boot_id; } 2>/dev/null || true
  { read -r id </etc/machine-id; } 2>/dev/null || true
  [[ "$id" =~ ^[0-9a-f]{32}$ ]] || return 0
  printf 'archnest:%s' "$id" >"$work/mark"
  machine_id="$(sha256sum "$work/mark" 2>/dev/null)" || true
  machine_id="${machine_id%% *}"
}

# collect_report: the report on stdout.
collect_report() {
  deadline=$((ends_at - interval_s / 6))
  list_containers
  find_socket
  inspect_containers
  collect_stats
  read_marks
  deadline="$ends_at"
  local now code=0
  TZ=UTC0 printf -v now '%(%Y-%m-%dT%H:%M:%SZ)T' -1
  assemble -nc 'def answers: inputs;' || code=$?
  # One answer cut short spoils them all, unless each line is read by itself. That is
  # for need alone: jq 1.6 breaks the characters of what it reads so every 4 KB.
  if [[ "$code" == 2 || "$code" == 5 ]]; then
    code=0
    assemble -ncR 'def answers: inputs | fromjson?;' || code=$?
  fi
  [[ "$code" == 0 ]] || assembly_failed
}

# assemble OPTIONS READING: what jq makes of all that was gathered, on stdout.
assemble() {
  bounded jq "$1" --rawfile listing "$work/listing" --slurpfile inspected "$work/inspected" \
    --rawfile errors "$work/errors" --arg host_id "$host_id" --arg hostname "$hostname" \
    --arg boot_id "$boot_id" --arg machine_id "$machine_id" --argjson most "$MAX_CONTAINERS" --arg agent_version "$AGENT_VERSION" \
    --arg now "$now" "$MASKING$counters$2$ASSEMBLE" "$work/answers.jsonl" "$work/told" 2>"$work/complaint"
}

# assembly_failed: end with why jq made no report.
assembly_failed() {
  local said
  said="$(printable "$(<"$work/complaint")")"
  [[ "$said" != *'Bad JSON in --slurpfile'* ]] || die 4 "the answer to '$cli inspect' cannot be read: $said"
  die 2 "jq, which must be 1.6 or newer, failed or took over ${timeout_s} s: $said"
}

# post FILE: send the gzipped report; leaves the HTTP status, and where it
# leads to, in $work/status and what the server said in $work/answer. Returns curl's code.
post() {
  local options=()
  [[ -z "${ARCHNEST_CA_FILE:-}" ]] || options=(--cacert "$ARCHNEST_CA_FILE")
  : >"$work/answer"
  bounded curl --disable --silent --show-error --globoff --max-time "$timeout_s" ${options[@]+"${options[@]}"} \
    --header @<(printf 'Authorization: Bearer %s\n' "$token") \
    --header 'Content-Type: application/json' --header 'Content-Encoding: gzip' \
    --data-binary "@$1" --output "$work/answer" --write-out '%{http_code} %{redirect_url}' \
    "$url/api/agents/docker/report" >"$work/status" 2>"$work/errors"
}

# push_report FILE: post it, once more after a transient failure.
# Returns 0 stored, 5 unreachable, 6 refused.
push_report() {
  local code=0 status target said
  post "$1" || code=$?
  read -r status target <"$work/status" || true
  if [[ "$code $status" =~ $TRANSIENT ]] && ((SECONDS + 2 < deadline)); then
    bounded sleep 1 || true
    code=0
    post "$1" || code=$?
    read -r status target <"$work/status" || true
  fi
  if [[ "$code" != 0 || "$status" == 502 || "$status" == 504 ]]; then
    [[ "$code" != 124 && "$code" != 137 ]] || printf 'no answer in time' >"$work/errors"
    log "the server $shown_url cannot be reached: $(printable "$(<"$work/errors") ${status/000/}")"
    return 5
  fi
  if [[ "$status" == 2?? ]]; then
    # Another program's port may say 200 to everything.
    IFS= read -r -d '' -n 4096 said <"$work/answer" || true
    [[ "$said" == *'"receivedAt"'* ]] && return 0
    log "what answers at $shown_url is not ArchNest: it answered $status without a receipt; is ARCHNEST_URL right?"
    return 5
  fi
  if [[ -n "$target" ]]; then
    # Not followed, for the token would go along.
    target="$(printable "${target%%[?#]*}")" target="${target/\/\/*@///}"
    log "the server answered $status and leads to ${target%/api/agents/docker/report}: if that is ArchNest, ARCHNEST_URL should be that"
    return 6
  fi
  log "the server answered $status: $(reason)"
  return 6
}

# reason: the server's own words about a refusal.
reason() {
  local said
  said="$(jq -r '"\(.title): \(.detail)"' "$work/answer" 2>/dev/null)" || said="$(<"$work/answer")"
  printable "$said"
}

# sweep FOLDER NOW: remove the workspaces there of this user's runs that were killed.
# Runs in other containers cannot be seen, nor /proc from a sandbox: the time of one must be over.
sweep() {
  local one left=()
  for one in "$1"/archnest-agent.*; do
    [[ -O "$one" && "$one" =~ \.([0-9]+)\.([0-9]+)\.[^.]+$ && "${BASH_REMATCH[2]}" -lt "$2" ]] || continue
    kill -0 "${BASH_REMATCH[1]}" 2>/dev/null || left+=("$one")
  done
  ((${#left[@]} == 0)) || rm -rf "${left[@]}"
}

# make_workspace: a private folder that goes when this shell ends.
make_workspace() {
  local folder="${TMPDIR:-/tmp}" pid="$BASHPID" now
  # In memory what is gathered costs less, and secrets reach no disk.
  [[ -n "${TMPDIR:-}" || ! -d /dev/shm || ! -w /dev/shm ]] || folder=/dev/shm
  printf -v now '%(%s)T' -1
  sweep "$folder" "$now"
  child='' work=''
  trap 'rm -rf "$work"' EXIT
  # A shell that is ending already does not begin that anew.
  trap 'kill $child 2>/dev/null || :; rm -rf "$work"; exit 143' TERM HUP
  trap 'kill $child 2>/dev/null || :; rm -rf "$work"; exit 130' INT
  { work="$(mktemp -d "$folder/archnest-agent.$pid.$((now + interval_s)).XXXXXX")"; } 2>/dev/null \
    || die 3 "no temporary folder can be made in $folder: TMPDIR must name a folder to write to"
  ends_at=$((SECONDS + interval_s - 1))
  deadline="$ends_at"
}

# report_once: gather, gzip and post one report.
report_once() {
  make_workspace
  collect_report >"$work/report.json"
  gzip -9c "$work/report.json" >"$work/report.json.gz"
  push_report "$work/report.json.gz"
}

# offset: seconds into the interval, the same for a host always, so that the
# hosts of a fleet that start together do not all report together.
offset() {
  local index sum=0 code
  for ((index = 0; index < ${#host_id}; index++)); do
    printf -v code '%d' "'${host_id:index:1}"
    sum=$(((sum * 31 + code) % 99991))
  done
  printf '%d' "$((1 + sum % interval_s))"
}

# pause SECONDS: sleep, but end at once on a signal.
pause() {
  sleep "$1" {lock}>&- &
  child=$!
  wait "$child" || true
}

# read_uptime: seconds since this machine's start; SECONDS leaps with the clock.
read_uptime() {
  read -r uptime_s _ </proc/uptime
  uptime_s="${uptime_s%.*}"
}

# loop: a report at once and then every interval_s, never two at once.
loop() {
  local first
  read_uptime
  first=$((uptime_s + $(offset)))
  # Under errexit a child that has just ended would make the exit a failure.
  trap 'kill $child 2>/dev/null || :; wait || :; exit 0' TERM INT HUP
  while :; do
    (report_once) &
    child=$!
    wait "$child" || true
    read_uptime
    pause "$((interval_s - (uptime_s - first + interval_s) % interval_s))"
  done
}

# check: what works and what does not, line by line.
check() {
  local missing code=0
  missing="$(missing_tools)"
  [[ -z "$missing" ]] || { printf '%s\n' "$missing"; exit 2; }
  printf 'ok: tools %s, curl, jq, gzip, flock, timeout\n' "$cli"
  make_workspace
  (list_containers) || exit 4
  list_containers
  printf 'ok: engine answers, %d containers, %d running\n' "${#ids[@]}" "${#running[@]}"
  find_socket
  if [[ -n "$socket" ]]; then
    printf 'ok: exact counters from the engine socket\n'
  else
    printf 'ok: rounded counters from %s stats (no engine socket to ask)\n' "$cli"
  fi
  (require_server) || exit 3
  printf 'ok: settings, this host is %s\n' "$host_id"
  collect_report >"$work/report.json"
  gzip -9c "$work/report.json" >"$work/report.json.gz"
  push_report "$work/report.json.gz" || code=$?
  [[ "$code" == 0 ]] || exit "$code"
  printf 'ok: server %s took a report of %d bytes\n' "$shown_url" "$(wc -c <"$work/report.json.gz")"
}

# usage: the manual from the head of this file.
usage() {
  local line
  while IFS= read -r line; do
    [[ "$line" == '#'* ]] || break
    [[ "$line" == '#!'* ]] || printf '%s\n' "${line#\#}"
  done <"${BASH_SOURCE[0]}"
}

main() {
  local mode="${1:-post}"
  umask 077
  interval_s="$DEFAULT_INTERVAL_S"
  case "$mode" in
    --version) printf 'archnest-docker-agent %s\n' "$AGENT_VERSION"; return 0 ;;
    --help | -h) usage; return 0 ;;
    --loop) [[ "${2:-}" =~ ^[1-9][0-9]{0,4}$ && $# == 2 ]] || die 3 "--loop needs whole seconds, as in --loop 30"
      interval_s="$2" ;;
    post | --print | --check) [[ $# -le 1 ]] || die 3 "$USAGE" ;;
    *) die 3 "$USAGE" ;;
  esac
  load_settings
  apply_settings
  if [[ "$mode" == --check ]]; then check; return 0; fi
  require_tools
  if [[ "$mode" == --print ]]; then make_workspace; collect_report; return 0; fi
  require_server
  take_lock
  if [[ "$mode" == --loop ]]; then loop; else report_once; fi
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
  main "$@"
fi
