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

say() {
	printf '%s: %s\n' "$program" "$*" >&2
}

# settings: exports what the settings file has for names that begin with RR_
# or S2_ and are not in the environment. The rules are those of
# rrpipe.conf(5): nothing in it is expanded or run.
settings() {
	local file line name value n=0
	# A service may have no home.
	: "${HOME:=/}"
	if [[ -n ${RR_CONF-} ]]; then
		file=$RR_CONF
		[[ -r $file ]] || die 78 "cannot read '$file', named by RR_CONF"
	else
		file=${XDG_CONFIG_HOME:-$HOME/.config}/rrpipe/rrpipe.conf
		[[ -e $file ]] || file=/etc/rrpipe/rrpipe.conf
		[[ -e $file ]] || return 0
		[[ -r $file ]] || die 78 "cannot read '$file'"
	fi
	local set=()
	while IFS= read -r line || [[ -n $line ]]; do
		((++n))
		[[ -n $line && $line != '#'* ]] || continue
		[[ $line =~ ^([A-Z0-9_]+)=(.*[^[:blank:]]|)[[:blank:]]*$ ]] ||
		    die 78 "'$file', line $n: not NAME=value"
		name=${BASH_REMATCH[1]}
		value=${BASH_REMATCH[2]}
		[[ $value != '"'*'"' && $value != \'*\' || ${#value} -lt 2 ]] ||
		    value=${value:1:-1}
		[[ $name == RR_* || $name == S2_* ]] || continue
		# The environment wins, and of two lines the last.
		[[ -z ${!name-} || " ${set[*]} " == *" $name "* ]] || continue
		set+=("$name")
		export "$name=$value"
	done <"$file"
}

# defaults: the settings that the scripts themselves use. Where nothing says
# which S2, it is the s2-lite that `rr up` runs.
defaults() {
	settings
	: "${RR_BASIN:=rrpipe-sessions}" "${RR_S2_PORT:=8790}"
	: "${RR_LISTEN_COLLECT:=127.0.0.1:8787}"
	: "${RR_LISTEN_VIEW:=127.0.0.1:8788}"
	: "${RR_LISTEN_DEMO:=127.0.0.1:8789}"
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
