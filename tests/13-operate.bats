# The operator's commands: rr config, doctor, retention, cost, bench-s2; and
# the pages for operators.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# Nothing of the machine's own.
	export HOME=$PWD XDG_CONFIG_HOME=$PWD/config
	unset RR_CONF
}

# page_names PAGE: the settings that a page lists.
page_names() {
	sed -n 's/^\.It Ev //p' "$1" | tr -d ' ' | tr , '\n' | grep -E '^(RR|S2)_'
}

# ---- rr config ----

@test "rr config: each setting and its place, and no secret" {
	unset "${!S2_@}" "${!RR_@}"
	mkdir -p config/rrpipe
	export RR_LEASE=33
	printf '%s\n' '# x' '' 'RR_BASIN=other-sessions' \
	    'S2_ACCESS_TOKEN="YA-secret"' 'RR_BASIN="shop-sessions"  ' \
	    'RR_LEASE=99' 'RR_COLLECT_OPTIONS=-k /etc/rrpipe/keys' \
	    >config/rrpipe/rrpipe.conf
	local conf=$PWD/config/rrpipe/rrpipe.conf
	rr config >said
	sed 's/  *# /	/' said | diff - <(cat <<-EOF
	S2_ACCOUNT_ENDPOINT=https://a.s2.dev	default
	S2_BASIN_ENDPOINT=https://{basin}.b.s2.dev	default
	S2_ACCESS_TOKEN=(hidden)	$conf:4
	S2_ACCESS_TOKEN_FILE=	default
	S2_SSL_NO_VERIFY=0	default
	RR_BASIN=shop-sessions	$conf:5
	RR_PREFIX=sessions	default
	RR_LEASE=33	environment
	RR_DATA=$PWD/.local/share/rrpipe	default
	RR_S2_PORT=8790	default
	RR_LISTEN_COLLECT=127.0.0.1:8787	default
	RR_LISTEN_VIEW=127.0.0.1:8788	default
	RR_LISTEN_DEMO=127.0.0.1:8789	default
	RR_COLLECT_OPTIONS=-k /etc/rrpipe/keys	$conf:7
	RR_VIEW_OPTIONS=	default
	EOF
	)
	run -0 rr config -j
	[ "$(jq -c '.[5]' <<<"$output")" = \
	    '{"name":"RR_BASIN","value":"shop-sessions","from":"'"$conf"':5"}' ]
	run ! grep secret <<<"$output"
	# The page lists the same.
	page_names "$ROOT/scripts/rrpipe.conf.5" | sort >page
	jq -r '.[].name' <<<"$output" | sort | diff page -
}

@test "rr config: every wrong value is named, with its place" {
	export RR_CONF=$PWD/conf
	unset "${!S2_@}"
	printf '%s\n' 'RR_BASIN=No' 'S2_ACCOUNT_ENDPOINT=ftp://x' \
	    'S2_BASIN_ENDPOINT=http://a b' 'RR_LEASE=1m' 'RR_S2_PORT=0' \
	    'RR_LISTEN_VIEW=nowhere' 'S2_SSL_NO_VERIFY=maybe' \
	    'S2_ACCESS_TOKEN=a b' >conf
	run -78 rr config
	endpoint='it must be [http://|https://]HOST[:PORT], as in http://127.0.0.1:8080'
	diff - <(printf '%s\n' "$output") <<-EOF
	rr-config: $PWD/conf:2: the setting S2_ACCOUNT_ENDPOINT is 'ftp://x'; $endpoint
	rr-config: $PWD/conf:3: the setting S2_BASIN_ENDPOINT is 'http://a b'; $endpoint
	rr-config: $PWD/conf:8: the setting S2_ACCESS_TOKEN holds a character that no token has; paste it again
	rr-config: $PWD/conf:7: the setting S2_SSL_NO_VERIFY is 'maybe'; it must be 1, true, 0 or false
	rr-config: $PWD/conf:1: the setting RR_BASIN is no name of a basin: those have 8 to 48 of a-z, 0-9 and '-', not '-' at an end
	rr-config: $PWD/conf:4: the setting RR_LEASE is no number of seconds from 1 to 315360000
	rr-config: $PWD/conf:5: the setting RR_S2_PORT is '0'; it must be a port, 1 to 65535
	rr-config: $PWD/conf:6: the setting RR_LISTEN_VIEW is 'nowhere'; it must be HOST:PORT, as in 127.0.0.1:8787
	EOF
	# The other scripts say the first, and of the environment no place.
	run -78 rr-ingest
	[ "$output" = "rr-ingest: $PWD/conf:2: the setting S2_ACCOUNT_ENDPOINT is 'ftp://x'; $endpoint" ]
	echo >conf
	RR_LEASE=x run -78 rr up
	[ "$output" = 'rr-up: the setting RR_LEASE is no number of seconds from 1 to 315360000' ]
	echo 'RR_BASIN="x' >conf
	run -78 rr config
	[ "$output" = "rr-config: $PWD/conf:1: the line has a quote that does not end the value" ]
	S2_BASIN_ENDPOINT=x RR_CONF='' run -78 rr config
	[[ $output == 'rr-config: of S2_ACCOUNT_ENDPOINT and S2_BASIN_ENDPOINT only one is set;'* ]]
}

@test "settings: the programs of C name the place too" {
	export RR_CONF=$PWD/conf
	unset "${!S2_@}"
	printf '%s\n' S2_ACCOUNT_ENDPOINT=localhost S2_BASIN_ENDPOINT=x:y/z >conf
	run -78 s2-tail s2://basin-name/x
	[ "$output" = "s2-tail: $PWD/conf:2: the setting S2_BASIN_ENDPOINT is 'x:y/z'; it must be [http://|https://]HOST[:PORT], as in http://127.0.0.1:8080" ]
	printf '%s\n' S2_ACCESS_TOKEN=x S2_SSL_NO_VERIFY=oui >conf
	run -78 s2-append s2://basin-name/x
	[ "$output" = "s2-append: $PWD/conf:2: the setting S2_SSL_NO_VERIFY is 'oui'; it must be 1, true, 0 or false" ]
	printf '%s\n' "S2_ACCESS_TOKEN_FILE=$PWD/none" >conf
	run -78 s2-stream list
	[ "$output" = "s2-stream: $PWD/conf:1: the setting S2_ACCESS_TOKEN_FILE names '$PWD/none', which cannot be read: No such file or directory" ]
	printf '%s\n' S2_ACCESS_TOKEN=x RR_LEASE=soon >conf
	run -78 rr-ls
	[ "$output" = "rr-ls: $PWD/conf:2: the setting RR_LEASE is no number of seconds from 1 to 315360000" ]
}

# environment.d is read by the parser of EnvironmentFile=.
@test "settings: systemd reads the file in the same way" {
	unset "${!S2_@}" "${!RR_@}"
	export RR_CONF=$PWD/config/environment.d/rr.conf
	mkdir -p config/environment.d
	printf '%s\n' '# x' '' 'RR_BASIN=shop-sessions  ' 'RR_PREFIX="a b "' \
	    "RR_VIEW_OPTIONS='-H x.example  -k 3'" 'RR_LEASE=1' 'RR_LEASE=2' \
	    'RR_COLLECT_OPTIONS=-k /etc/keys --opens 3' >"$RR_CONF"
	/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator \
	    >theirs
	grep ^RR_ theirs | sed 's/="\(.*\)"$/=\1/' | sort >theirs.sorted
	run -0 --separate-stderr rr config -j
	[ -z "$stderr" ]
	jq -r '.[] | select(.from != "default" and .from != "environment") |
	    .name + "=" + .value' <<<"$output" | sort | diff theirs.sorted -
	# What they would not read the same is warned of.
	printf '%s\n' 'RR_PREFIX=a\b' 'RR_LAESE=4' >"$RR_CONF"
	run -0 --separate-stderr rr config
	diff - <(printf '%s\n' "$stderr") <<-EOF
	rr-config: $RR_CONF:1: the value of RR_PREFIX holds a backslash or a quote, which systemd's EnvironmentFile= reads in another way; write it without
	rr-config: $RR_CONF:2: no setting is called RR_LAESE, so it is ignored; rrpipe.conf(5) lists them
	EOF
}

@test "rr config: the examples of its page" {
	page_examples "$ROOT/scripts/rr-config.1" >script
	[ "$(wc -l <script)" = 2 ]
	sed -i "s,/etc/rrpipe,$PWD," script
	echo 'RR_PREFIX=x' >rrpipe.conf
	run -0 bash -euo pipefail script
	grep -Eq "^RR_PREFIX=x +# $PWD/rrpipe.conf:1$" <<<"$output"
}
