# shellcheck shell=bash
# What the scripts share, read by them: messages and settings.

program=${0##*/}

# die STATUS TEXT...: one line on stderr, and the end. Statuses are those of
# lib/exits.h; rr(7) has the table.
die() {
	local status=$1
	shift
	say "$*"
	exit "$status"
}

# wrong_option OPT: what getopts with a ':' first found is none of theirs.
wrong_option() {
	local help="${program/#rr-/rr } --help"
	[[ $program != rr-janitor ]] || help='rr-janitor --help'
	[[ $program != rr ]] || help='rr help'
	[[ $1 != : ]] || die 64 "-$OPTARG takes a value; see $help"
	[[ $1 != - ]] || die 64 "there is no option --$OPTARG; see $help"
	[[ $OPTARG != - ]] || die 64 "there are no long options; see $help"
	die 64 "there is no option -$OPTARG; see $help"
}

# Bash calls this, with its words, for a command that is not installed.
# shellcheck disable=SC2317
command_not_found_handle() {
	die 1 "$1 is missing; install it"
}

say() {
	printf '%s: %s\n' "$program" "$*" >&2
}

# tell ID TEXT...: a line on stdout, about a session. Where that is the journal
# it gets the session as a field, as lib/log.h has it.
tell() {
	local id=$1 here
	shift
	{
		here=$(stat -Lc %d:%i /dev/fd/3)
	} 3>&1
	[[ ${JOURNAL_STREAM-} == "$here" ]] &&
	    logger --journald <<-EOF || echo "$*"
	PRIORITY=6
	SYSLOG_IDENTIFIER=$program
	RR_SESSION=$id
	MESSAGE=$program: $*
	EOF
}

# Each setting that something of rrpipe reads: its name, what check_setting
# asks of it, and what it is if nobody sets it. rrpipe.conf(5) has the same.
# shellcheck disable=SC2016,SC2088 # for people to read
known_settings=(
	'S2_ACCOUNT_ENDPOINT endpoint -'
	'S2_BASIN_ENDPOINT endpoint -'
	'S2_ACCESS_TOKEN token -'
	'S2_ACCESS_TOKEN_FILE any -'
	'S2_SSL_NO_VERIFY yesno 0'
	'RR_BASIN basin rrpipe-sessions'
	'RR_PREFIX prefix sessions'
	'RR_LEASE seconds 150'
	'RR_DATA any ${XDG_DATA_HOME:-~/.local/share}/rrpipe'
	'RR_S2_PORT port 8790'
	'RR_LISTEN_COLLECT address 127.0.0.1:8787'
	'RR_LISTEN_VIEW address 127.0.0.1:8788'
	'RR_LISTEN_DEMO address 127.0.0.1:8789'
	'RR_COLLECT_OPTIONS any -'
	'RR_VIEW_OPTIONS any -'
	'RR_VIEW_MEMORY mebibytes 512'
)

# settings_file: sets conf to the file that counts; empty if there is none.
settings_file() {
	# A service may have no home.
	: "${HOME:=/}"
	if [[ -n ${RR_CONF-} ]]; then
		conf=$RR_CONF
		[[ -r $conf ]] || die 78 "cannot read '$conf', named by RR_CONF"
		return
	fi
	conf=${XDG_CONFIG_HOME:-$HOME/.config}/rrpipe/rrpipe.conf
	[[ -e $conf ]] || conf=/etc/rrpipe/rrpipe.conf
	if [[ ! -e $conf ]]; then
		conf=
	elif [[ ! -r $conf ]]; then
		die 78 "cannot read '$conf'"
	fi
}

# read_settings: exports what the settings file has for names that begin with
# RR_ or S2_ and are not in the environment. The rules are those of
# rrpipe.conf(5): nothing in it is expanded or run. origin[NAME] is the place
# of each.
declare -A origin=()
read_settings() {
	local line name value n=0
	settings_file
	[[ -n $conf ]] || return 0
	[[ ! -d $conf ]] || die 78 "cannot read '$conf': it is a directory"
	while IFS= read -r line || [[ -n $line ]]; do
		((++n))
		[[ -n $line && $line != '#'* ]] || continue
		[[ $line =~ ^([A-Z_][A-Z0-9_]*)=(.*[^[:space:]]|)[[:space:]]*$ ]] ||
		    die 78 "$conf:$n: the line is not NAME=value"
		name=${BASH_REMATCH[1]}
		value=${BASH_REMATCH[2]}
		case $value in
		\"*\" | \'*\')
			((${#value} > 1)) || die 78 "$conf:$n: the line has" \
			    'a quote that does not end the value'
			value=${value:1:-1}
			;;
		\"* | \'*)
			die 78 "$conf:$n: the line has a quote that does not" \
			    'end the value'
			;;
		esac
		[[ $name == RR_* || $name == S2_* ]] || continue
		# The environment wins, and of two lines the last.
		[[ -z ${!name-} || -n ${origin[$name]-} ]] || continue
		origin[$name]=$conf:$n
		export "$name=$value"
	done <"$conf"
}

# settings: the same, and an end to it if a value is wrong.
settings() {
	local conf wrong
	read_settings
	check_settings
	[[ -z $wrong ]] || die 78 "${wrong%%$'\n'*}"
}

# check_settings: sets wrong to a line for each setting with a wrong value. No
# process is made for it: each command does this first.
check_settings() {
	local known name kind why line
	wrong=
	for known in "${known_settings[@]}"; do
		read -r name kind _ <<<"$known"
		[[ -n ${!name-} ]] || continue
		check_setting "$kind" "${!name}"
		[[ -n $why ]] || continue
		line="${origin[$name]+${origin[$name]}: }the setting $name $why"
		wrong+=${wrong:+$'\n'}$line
	done
}

# check_setting KIND VALUE: sets why to what is wrong with it, if anything is.
# The programs of C check what they use by the same rules.
check_setting() {
	local value=$2 shown=$2 host='[^[:space:]/?#@"'\''\\{}]+'
	((${#shown} <= 200)) || shown=${shown:0:200}...
	why=
	case $1 in
	endpoint)
		[[ $value =~ ^(https?://)?(\{basin\}\.)?$host(/|/v1/?)?$ ]] ||
		    why="is '$shown'; it must be [http://|https://]HOST[:PORT], as in http://127.0.0.1:8080"
		;;
	token)
		[[ $value =~ ^[!-~]+$ ]] ||
		    why='holds a character that no token has; paste it again'
		;;
	yesno)
		[[ $value =~ ^(0|1|true|false|yes|no)$ ]] ||
		    why="is '$shown'; it must be 1, true, 0 or false"
		;;
	basin)
		[[ $value =~ ^[a-z0-9][a-z0-9-]{6,46}[a-z0-9]$ ]] ||
		    why="is no name of a basin: those have 8 to 48 of a-z, 0-9 and '-', not '-' at an end"
		;;
	prefix)
		((${#value} <= 256)) || why='is longer than 256 bytes'
		;;
	seconds)
		[[ $value =~ ^[1-9][0-9]{0,8}$ && $value -le 315360000 ]] ||
		    why='is no number of seconds from 1 to 315360000'
		;;
	mebibytes)
		[[ $value =~ ^(0|[1-9][0-9]{0,5})$ &&
		    ($value -eq 0 || $value -ge 32) ]] ||
		    why="is '$shown'; it must be 32 to 999999 MiB, or 0"
		;;
	port)
		[[ $value =~ ^[1-9][0-9]{0,4}$ && $value -le 65535 ]] ||
		    why="is '$shown'; it must be a port, 1 to 65535"
		;;
	address)
		[[ $value =~ ^[^[:space:]]*:[1-9][0-9]{0,4}$ &&
		    ${value##*:} -le 65535 ]] ||
		    why="is '$shown'; it must be HOST:PORT, as in 127.0.0.1:8787"
		;;
	esac
}

# defaults: the settings that the scripts themselves use. Where nothing says
# which S2, it is the s2-lite that `rr up` runs.
defaults() {
	settings
	: "${RR_BASIN:=rrpipe-sessions}" "${RR_S2_PORT:=8790}"
	: "${RR_LEASE:=150}" "${RR_LISTEN_COLLECT:=127.0.0.1:8787}"
	: "${RR_LISTEN_VIEW:=127.0.0.1:8788}"
	: "${RR_LISTEN_DEMO:=127.0.0.1:8789}" "${RR_VIEW_MEMORY:=512}"
	: "${RR_DATA:=${XDG_DATA_HOME:-$HOME/.local/share}/rrpipe}"
	export RR_BASIN
	own_s2=
	if [[ -z ${S2_ACCOUNT_ENDPOINT-}${S2_BASIN_ENDPOINT-} &&
	    -z ${S2_ACCESS_TOKEN-}${S2_ACCESS_TOKEN_FILE-} ]]; then
		# shellcheck disable=SC2034 # for rr-up
		own_s2=1
		export S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$RR_S2_PORT
		export S2_BASIN_ENDPOINT=$S2_ACCOUNT_ENDPOINT
	fi
}

# ensure_basin: makes the basin of the sessions, unless it is there. Records get
# the time of their arrival, and no stream appears by itself.
ensure_basin() {
	s2-stream ensure "s2://$RR_BASIN" timestamping=arrival \
	    create-on-append=no >/dev/null
}

# log_audit TEXT: one line to the system log of what somebody did in the shell.
# What the dashboard does by these commands it tells of itself.
log_audit() {
	[[ -z ${RR_AUDITED-} ]] || return 0
	logger -p user.notice -t rr -- "audit: $1 by $(id -un) in the shell" \
	    2>/dev/null || :
}

no_room() {
	die 1 "cannot write below '${TMPDIR:-/tmp}'; make room there, or set TMPDIR"
}

# scratch_directory: makes one below TMPDIR, and prints its name.
scratch_directory() {
	mktemp -d 2>/dev/null || no_room
}

# scratch NAME: sets NAME to an empty file below TMPDIR that has no name there,
# so that nothing of it is left however this ends.
scratch() {
	local file fd
	file=$(mktemp 2>/dev/null) || no_room
	exec {fd}<>"$file"
	rm -f -- "$file"
	printf -v "$1" '/proc/self/fd/%s' "$fd"
}

# whole_id ID: prints the id that begins so. A whole one is not asked for.
whole_id() {
	if [[ ${#1} -eq 25 ]]; then
		printf '%s\n' "$1"
	else
		rr-ls -q -- "$1"
	fi
}

# web_file NAME: prints where this file of the dashboard is: beside the
# programs, in the tree or installed.
web_file() {
	local bin file
	for bin in "$(dirname "$0")" "$(dirname "$(type -P rr-frame)")"; do
		for file in "$bin/../web/$1" "$bin/../share/rrpipe/web/$1"; do
			[[ ! -r $file ]] || {
				printf '%s\n' "$file"
				return
			}
		done
	done
	die 78 "cannot find '$1', which comes with rrpipe"
}

# index_tell: appends entries, of JSON a line, to the index of the sessions
# (rr-records(5)). It is a hint, so whatever fails here fails nothing.
index_tell() {
	{
		echo ':create {"retention_policy":{"infinite":{}}}'
		sed 's/^/:meta /'
		echo ':end token=1'
	} | rr-frame 2>/dev/null |
	    s2-append "s2://$RR_BASIN/${RR_PREFIX:-sessions}.index" \
	    >/dev/null 2>&1 || :
}

# index_stopped ID...: tells the index what it should say of those, if they are
# stopped.
index_stopped() {
	rr-ls -i "$@" 2>/dev/null | index_tell || :
}

# index_lock INDEX TOKEN: 0 if nobody else writes the index again until
# index_unlock; 1 if somebody goes on doing so. (Whoever only appends to it asks
# for no fence, and is not kept from it.) One that died is waited for until its
# token is ten minutes old.
index_lock() {
	local why held='' age try
	for try in {1..60}; do
		why=$(s2-stream fence -e "$held" "$1" "$2" 2>&1) && return 0
		[[ $why =~ fenced\ by\ \'(rr-([0-9]+)-[0-9]+)?\' ]] || {
			printf '%s\n' "$why" >&2
			return 1
		}
		held=''
		age=$(($(date +%s) - ${BASH_REMATCH[2]:-$(date +%s)}))
		((age < 600)) || held=${BASH_REMATCH[1]}
		((try == 60)) || read -rt 0.5 <> <(:) || :
	done
	return 1
}

index_unlock() {
	s2-stream fence -e "$2" "$1" '' >/dev/null || :
}

# index_forget WORK COMMAND...: writes the index of the sessions again without
# the ids that COMMAND prints, and drops what it was; what comes meanwhile
# stands behind that and stays. In the directory WORK, COMMAND finds the entries
# as the file index.
index_forget() {
	local work=$1 index=s2://$RR_BASIN/${RR_PREFIX:-sessions}.index
	local token tail status=0
	shift
	s2-stream tail "$index" >/dev/null 2>&1 || return 0
	index_read "$@" || status=$?
	if ((status == 3)); then
		say 'the index has records of a later version, and stays as it is'
		return 0
	fi
	[[ $status -eq 0 && -s $work/dead ]] || return "$status"
	token=rr-$(date +%s)-$SRANDOM
	index_lock "$index" "$token" || {
		say 'the index is being written by somebody else; what it has' \
		    'of deleted sessions is left to rr-janitor'
		return 0
	}
	{ index_read "$@" && index_rewrite; } || status=$?
	index_unlock "$index" "$token"
	return "$status"
}

# The parts of that. An entry that stands there twice was copied before, by one
# that died.
index_read() {
	tail=$(s2-stream tail "$index") || return
	tail=${tail%% *}
	: >"$work/dead"
	# It may have been made, and never written to.
	((tail > 0)) || return 0
	s2-tail -e "$tail" "$index" | rr-reassemble -d |
	    sed -n 's/^:meta [^{]*//p' >"$work/index" || return
	"$@" >"$work/dead"
}

index_rewrite() {
	[[ -s $work/dead ]] || return 0
	sed 's/.*/{"id":"&"/' "$work/dead" >"$work/patterns"
	awk '!seen[$0]++' "$work/index" |
	    { grep -vFf "$work/patterns" || :; } >"$work/lives"
	[[ ! -s $work/lives ]] || {
		sed 's/^/:meta /' "$work/lives"
		echo ':end token=1'
	} | rr-frame | s2-append -t "$token" "$index" >/dev/null || return
	s2-stream trim "$index" "$tail" >/dev/null
}

# index_is_short: so few entries that one look has them all, wherever they
# stand.
index_is_short() {
	(($(s2-tail -n 1001 "s2://$RR_BASIN/${RR_PREFIX:-sessions}.index" \
	    2>/dev/null | rr-reassemble -dq 2>/dev/null |
	    grep -c ^:meta) <= 1000))
}

# address_of SPEC: how this machine reaches what listens on HOST:PORT.
address_of() {
	case $1 in
	:* | '*:'* | 0.0.0.0:* | '[::]:'*) echo "127.0.0.1:${1##*:}" ;;
	*) echo "$1" ;;
	esac
}

# For awk over directives: value(KEY) is what the one in $0 has for it, or "".
# shellcheck disable=SC2016,SC2034 # awk's; for those who read this
awk_value='function value(key,	n) {
	n = match($0, " " key "=[^ ]+")
	return n ? substr($0, n + length(key) + 2,
	    RLENGTH - length(key) - 2) : ""
}'

# moment TIME URI: prints TIME as the recording of that stream has it, in
# milliseconds: [[H:]M:]S from its first event on, @MS, or as date(1) takes it.
moment() {
	local first ms count status
	if [[ $1 =~ ^@([0-9]{1,15})$ ]]; then
		printf '%s\n' "${BASH_REMATCH[1]}"
	elif [[ $1 =~ ^(([0-9]{1,4}:)?[0-9]{1,4}:)?[0-9]{1,7}([.][0-9]+)?$ ]]; then
		# As a rule the first batch is among the first records.
		for count in 4 64; do
			first=$(s2-tail -n "$count" "$2" | rr-reassemble -qd | awk '
				/^:batch/ && !n {
					n = match($0, / first=-?[0-9]+/)
					if (n) print substr($0, n + 7, RLENGTH - 7)
				}') || {
				status=$?
				((status == 3)) || exit "$status"
			}
			[[ -z $first ]] || break
		done
		[[ -n $first ]] ||
		    die 65 'its events do not tell when it begins; give @MS'
		awk -F : -v first="$first" '{
			for (i = 1; i <= NF; i++) s = s * 60 + $i
			printf "%.0f\n", first + s * 1000
		}' <<<"$1"
	else
		ms=$(date -d "$1" +%s%3N 2>/dev/null) ||
		    die 64 "'$1' is no time: [[H:]M:]S, @MS, or as date takes it"
		printf '%s\n' "$ms"
	fi
}
