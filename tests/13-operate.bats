# The operator's commands: rr config, doctor, retention, cost, bench-s2; and
# the pages for operators.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# Nothing of the machine's own, but s2-lite.
	export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
	export HOME=$PWD XDG_CONFIG_HOME=$PWD/config
	unset "${!RR_@}"
	room_for_sanitizers
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
	RR_VIEW_MEMORY=512	default
	EOF
	)
	run -0 rr config -j
	[ "$(jq -c '.[5]' <<<"$output")" = \
	    '{"name":"RR_BASIN","value":"shop-sessions","from":"'"$conf"':5"}' ]
	[[ $output != *secret* ]]
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
	    'S2_ACCESS_TOKEN=a b' 'RR_VIEW_MEMORY=16' >conf
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
	rr-config: $PWD/conf:9: the setting RR_VIEW_MEMORY is '16'; it must be 32 to 999999 MiB, or 0
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

# ---- rr doctor ----

# serve_all: a ring and a dashboard on ports of their own.
serve_all() {
	new_basin
	s2-stream config "s2://$RR_BASIN" timestamping=arrival retention=30d \
	    >/dev/null
	export RR_LISTEN_COLLECT=127.0.0.1:$(free_port)
	export RR_LISTEN_VIEW=127.0.0.1:$(free_port)
	export RR_DATA=$BATS_SUITE_TMPDIR
	printf 'pk_shop https://shop.example\n' >keys
	start rr-ingest -l "$RR_LISTEN_COLLECT" -k keys
	ring=$pid
	start sse-bridge -l "$RR_LISTEN_VIEW" -x "$ROOT/scripts/routes"
	wait_until 20 curl -sf -o /dev/null "http://$RR_LISTEN_COLLECT/health/ready"
	wait_until 20 curl -sf -o /dev/null "http://$RR_LISTEN_VIEW/api/sessions"
}

# in_place_of PROGRAM: a directory of all programs, one of which is stdin.
in_place_of() {
	mkdir -p instead
	ln -sf "$BUILD"/bin/* instead/
	rm -f "instead/$1"
	{
		echo '#!/bin/bash'
		echo "real=$BUILD/bin/$1"
		cat
	} >"instead/$1"
	chmod +x "instead/$1"
}

# doctor [OPTIONS]: its findings that are not ok.
doctor() {
	status=0
	rr-doctor "$@" >said 2>said.err || status=$?
	[ ! -s said.err ]
	grep -v ^ok said || :
}

@test "rr doctor: all is well, in text and in JSON, and nothing is left" {
	serve_all
	run -0 rr doctor -k keys
	sed -E 's/(libraries:).*/\1/; s/(clock:).*/\1/; s/(disk:).*/\1/; s/(limits:).*/\1/; s/version .*/version/' \
	    <<<"$output" >said
	port=${S2_BASIN_ENDPOINT##*:}
	diff - <(grep -v '^ok   \(directories\|secret\):' said) <<-EOF
	ok   programs: all are version
	ok   libraries:
	ok   settings: from the environment; there is no file
	ok   S2 account: answers at $S2_ACCOUNT_ENDPOINT
	ok   S2 basin: $RR_BASIN is as rrpipe wants it
	ok   retention: new sessions are kept 30d
	ok   S2 rights: streams can be made, appended to, read, listed and deleted
	ok   clock:
	ok   exposure: port $port is open on the loopback address alone
	ok   disk:
	ok   keys: 'keys': 1 key
	ok   limits:
	ok   collector: $RR_LISTEN_COLLECT answers
	ok   dashboard: $RR_LISTEN_VIEW answers
	EOF
	[ -z "$(s2-stream list "s2://$RR_BASIN" | grep doctor)" ]
	run -0 rr doctor -cj
	[ "$(jq -c '[.[].level] | unique' <<<"$output")" = '["ok"]' ]
	run -64 rr doctor x
	run -64 rr doctor -x
}

@test "rr doctor: the basin, its settings and who serves" {
	RR_LISTEN_COLLECT=127.0.0.1:$(free_port)
	RR_LISTEN_VIEW=127.0.0.1:$(free_port)
	export RR_LISTEN_COLLECT RR_LISTEN_VIEW
	RR_BASIN=t-none-$SRANDOM doctor -c >found
	[ "$status" = 66 ]
	[[ "$(cat found)" == 'fail S2 basin: config s2://t-none-'*': there is no such basin; make it: s2-stream ensure s2://t-none-'*' timestamping=arrival create-on-append=no' ]]
	new_basin
	doctor -c >found
	[ "$status" = 0 ]
	diff - found <<-EOF
	warn S2 basin: $RR_BASIN does not give records the time of their arrival, so times in lists are the writers'; s2-stream config s2://$RR_BASIN timestamping=arrival
	warn retention: $RR_BASIN does not say how long sessions are kept; S2's own default counts; say it: rr retention 30d
	EOF
	s2-stream config "s2://$RR_BASIN" timestamping=arrival retention=1d \
	    create-on-append=yes >/dev/null
	[[ "$(doctor -c)" == "warn S2 basin: $RR_BASIN makes streams on append,"* ]]
	s2-stream config "s2://$RR_BASIN" create-on-append=no \
	    create-on-read=yes >/dev/null
	[[ "$(doctor -c)" == "warn S2 basin: $RR_BASIN makes streams on read,"* ]]
	# Nobody serves; and a collector whose S2 is away.
	doctor >found
	[ "$status" = 75 ]
	grep -q "^fail collector: nothing answers at $RR_LISTEN_COLLECT; start it: " found
	grep -q "^fail dashboard: nothing answers at $RR_LISTEN_VIEW; start it: " found
	cat >answer <<-'EOF'
	#!/bin/bash
	while read -r line && [[ $line != $'\r' ]]; do :; done
	printf 'HTTP/1.1 503 Service Unavailable\r\n\r\nS2 is away\n'
	EOF
	chmod +x answer
	start socat "TCP-LISTEN:${RR_LISTEN_COLLECT#*:},bind=127.0.0.1,reuseaddr,fork" \
	    EXEC:./answer
	wait_until 10 bash -c ": <>/dev/tcp/127.0.0.1/${RR_LISTEN_COLLECT#*:}"
	doctor >found
	grep -Fqx "fail collector: $RR_LISTEN_COLLECT answers /health/ready with 503: S2 is away; journalctl -u rr-collect says more" found
}

@test "rr doctor: names, connections and certificates" {
	local port lite
	port=$(free_port)
	new_basin
	S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$port \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:$port doctor -c >found
	[ "$status" = 75 ]
	[ "$(cat found)" = "fail S2 account: nothing takes connections at 127.0.0.1 port $port; start it: systemctl start s2-lite, or rr up" ]
	S2_ACCOUNT_ENDPOINT=http://nowhere.invalid doctor -c >found
	[ "$status" = 75 ]
	[ "$(cat found)" = "fail S2 account: there is no address for the name 'nowhere.invalid'; correct the endpoint, or the resolver (/etc/resolv.conf)" ]
	# An S2 that is open to all, by TLS, with a certificate of its own.
	read -ra lite <<<"$("$ROOT/scripts/s2-lite" path)"
	start env SL8_MANIFEST_POLL_INTERVAL=100ms "${lite[@]}" \
	    --port "$port" --tls-self
	wait_until 20 curl -sko /dev/null "https://localhost:$port/health"
	export S2_ACCOUNT_ENDPOINT=https://localhost:$port
	export S2_BASIN_ENDPOINT=https://localhost:$port
	doctor -c >found
	[ "$status" = 78 ]
	[[ "$(head -n 1 found)" == 'fail S2 account: '*ertificate*'; install ca-certificates; for a certificate of your own set S2_SSL_NO_VERIFY=1' ]]
	export S2_SSL_NO_VERIFY=1
	s2-stream create "s2://$RR_BASIN" timestamping=arrival retention=1d
	doctor -c >found
	[ "$status" = 1 ]
	diff - found <<-EOF
	warn S2 account TLS: any certificate is taken (S2_SSL_NO_VERIFY); install the authority that signed it, and unset that
	fail exposure: port $port, where S2 is, is open on more than the loopback address, and s2-lite asks nobody who they are; run it by rr up or s2-lite.service, or block the port in the firewall
	EOF
}

@test "rr doctor: rights, what comes back, and the clock" {
	new_basin
	s2-stream config "s2://$RR_BASIN" timestamping=arrival retention=1d \
	    >/dev/null
	# shellcheck disable=SC2016
	in_place_of s2-append <<<'
	[[ $* != --version ]] || exec "$real" "$@"
	echo "s2-append: s2://x: S2 answered 403 permission_denied" >&2
	exit 77'
	PATH=$PWD/instead:$PATH doctor -c >found
	[ "$status" = 77 ]
	[ "$(cat found)" = 'fail S2 append: s2://x: S2 answered 403 permission_denied; give the token the right to this, or another token' ]
	for off in 9000 -90000; do
		# shellcheck disable=SC2016
		in_place_of s2-append <<<'
		[[ $* != --version ]] || exec "$real" "$@"
		line=$("$real" "$@")
		time=${line##* time=}
		echo "${line% time=*} time=$((time + '"$off"'))"'
		PATH=$PWD/instead:$PATH doctor -c >>clocks
	done
	[ "$status" = 1 ]
	sed -E 's/ [0-9]+ ms/ N ms/g' clocks | diff - <(cat <<-'EOF'
	warn clock: S2's clock is N ms ahead of ours, give or take N ms; set the clock (timedatectl set-ntp true)
	fail clock: S2's clock is N ms behind ours, give or take N ms; set the clock (timedatectl set-ntp true): states and lengths of sessions are told by it
	EOF
	)
	rm instead/s2-append
	# shellcheck disable=SC2016
	in_place_of s2-tail <<<'
	[[ $* != --version ]] || exec "$real" "$@"
	echo "{\"type\":4}" | rr-frame'
	PATH=$PWD/instead:$PATH doctor -c >found
	[ "$status" = 1 ]
	[ "$(cat found)" = 'fail S2 read: what comes back is not what was appended; keep the stream, and report it' ]
	# shellcheck disable=SC2016
	in_place_of s2-tail <<<'echo s2-tail 0.0.1'
	PATH=$PWD/instead:$PATH doctor -c >found
	grep -Eqx 'fail programs: rr-frame is [0-9.]+, s2-tail 0.0.1; install all of one version' found
	[ -z "$(s2-stream list "s2://$RR_BASIN" | grep doctor)" ]
}

@test "rr doctor: files, room and limits" {
	serve_all
	printf 'pk_shop\n' >wrong-keys
	doctor -k wrong-keys >found
	[ "$status" = 78 ]
	[ "$(cat found)" = "fail keys: 'wrong-keys', line 1: no origin is allowed (write * for all); correct it, then: systemctl reload rr-collect" ]
	RR_COLLECT_OPTIONS='--opens 3 -k none' doctor >found
	[ "$(cat found)" = "fail keys: cannot read 'none': No such file or directory; correct it, then: systemctl reload rr-collect" ]
	doctor >found
	[[ "$(cat found)" == 'warn keys: there is no key file,'* ]]
	# Settings and secrets that others read.
	printf 'S2_ACCESS_TOKEN=x\n' >conf
	chmod 644 conf
	RR_CONF=$PWD/conf doctor -c >found
	[ "$status" = 0 ]
	[[ "$(cat found)" == "warn settings: '$PWD/conf' holds S2_ACCESS_TOKEN and others may read it; chmod 600 it,"* ]]
	unset S2_ACCESS_TOKEN
	printf 'x\n' >token
	chmod 604 token
	S2_ACCESS_TOKEN_FILE=$PWD/token doctor -c >found
	[ "$status" = 78 ]
	[[ "$(cat found)" == "fail S2 token: everybody may read '$PWD/token' (mode 604); chmod o= '$PWD/token',"* ]]
	S2_ACCESS_TOKEN_FILE=$PWD/none doctor -c >found
	[[ "$(head -n 1 found)" == "fail S2 token: '$PWD/none' is not there; make it, or correct its name" ]]
	RR_LEASE=x doctor >found
	[ "$status" = 78 ]
	[ "$(cat found)" = 'fail settings: the setting RR_LEASE is no number of seconds from 1 to 315360000; correct it; rr config shows all' ]
	# A disk that is almost full, and one that is nearly so.
	in_place_of df <<<'printf "%s\n" Filesystem "x 1 1 500000 1% /"'
	PATH=$PWD/instead:$PATH doctor -c >found
	[ "$status" = 0 ]
	[ "$(cat found)" = "warn disk: 488 MiB are free where s2-lite keeps its data, '$RR_DATA/s2'; make room, or keep sessions for less long: rr retention" ]
	in_place_of df <<<'printf "%s\n" Filesystem "x 1 1 5000 1% /"'
	PATH=$PWD/instead:$PATH doctor -c >found
	[ "$status" = 1 ]
	[[ "$(cat found)" == 'fail disk: 4 MiB are free '*'; make room at once: '* ]]
	(
		ulimit -n 512
		doctor -k keys >found
	)
	[[ "$(cat found)" == 'warn limits: only 512 descriptors may be open, 4160 are wanted; raise it '* ]]
}

@test "rr doctor: the examples of its page" {
	serve_all
	export RR_COLLECT_OPTIONS="-k $PWD/keys"
	page_examples "$ROOT/scripts/rr-doctor.1" >script
	[ "$(wc -l <script)" = 2 ]
	sed -i "s,/etc/rrpipe,$PWD," script
	echo 'RR_PREFIX=x' >rrpipe.conf
	# Nothing that is not well, so grep finds nothing.
	sed -i '1s/$/ || [ $? = 1 ]/' script
	run -0 bash -euo pipefail script
	[[ $output == 'ok   programs: '*"ok   settings: from '$PWD/rrpipe.conf'"* ]]
}

# ---- rr retention ----

@test "rr retention: of new sessions, of existing ones, and of one" {
	local ids id
	new_basin
	for i in 1 2 3; do
		rr import "$DATA/fixture-iframe.ndjson"
	done >ids
	readarray -t ids <ids
	# Other streams are none of its business.
	s2-stream create "s2://$RR_BASIN/sessions/other"
	[ "$(rr retention)" = 'new sessions: not set' ]
	run -0 --separate-stderr rr retention -an 30d
	[ "$output" = $'new sessions: not set -> 30d\nexisting sessions: 3 of 3 -> 30d' ]
	[[ $stderr == "rr-retention: s2-lite keeps each record by what was set when it was appended:"*'; rr rm deletes at once' ]]
	[ "$(rr retention -a)" = $'new sessions: not set\n3 sessions: 7d' ]
	rr retention 30d 2>/dev/null
	[ "$(rr retention -a)" = $'new sessions: 30d\n3 sessions: 7d' ]
	# Nothing else has changed.
	run -0 s2-stream config "s2://$RR_BASIN"
	[ "$output" = $'create-on-append=no\ncreate-on-read=no\ndelete-on-empty=1d\nretention=30d\ntimestamping=arrival' ]
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	[ "$(rr retention -a)" = $'new sessions: 30d\n3 sessions: 7d\n1 sessions: 30d' ]
	run -0 --separate-stderr rr retention -a 30d
	[ "${lines[1]}" = 'existing sessions: 3 of 4 -> 30d' ]
	run -0 --separate-stderr rr retention infinite "${ids[0]:0:10}" "${ids[1]}"
	[ "$output" = 'existing sessions: 2 of 2 -> infinite' ]
	[ "$(rr retention -a)" = $'new sessions: 30d\n2 sessions: 30d\n2 sessions: infinite' ]
	[[ "$(s2-stream config "s2://$RR_BASIN/sessions/other")" == *retention=7d* ]]
	rr cat "$id" | cmp - "$DATA/fixture-iframe.ndjson"
	run -66 rr retention 1d nosuch
	local args
	for args in x '-f' '-n' '-a 1d x' '0d' '1w' -x; do
		# shellcheck disable=SC2086 # words
		run -64 rr retention $args
	done
}

@test "rr retention: of the cloud it says how many sessions are deleted" {
	new_basin
	rr import "$DATA/fixture-iframe.ndjson" >id
	# Sessions that began in 2020, as the cloud would have them.
	old=$(printf '%s/%013d-%s' sessions $((9999999999999 - 1600000000000)) \
	    0123456789abcdefghjkmnpqr)
	s2-stream create "s2://$RR_BASIN/$old"
	# shellcheck disable=SC2016
	in_place_of s2-stream <<<'
	S2_ACCOUNT_ENDPOINT=$S2_BASIN_ENDPOINT exec "$real" "$@"'
	S2_ACCOUNT_ENDPOINT=https://a.s2.dev run -0 --separate-stderr \
	    instead/rr-retention -an 30d
	[ "$stderr" = "rr-retention: WARNING: 1 sessions began more than 30d ago; S2 deletes what is older, within minutes, and it cannot be had back" ]
	S2_ACCOUNT_ENDPOINT=https://a.s2.dev run -0 --separate-stderr \
	    instead/rr-retention -n 30d
	[ -z "$stderr" ]
}

@test "rr retention: the examples of its page" {
	new_basin
	rr import "$DATA/fixture-iframe.ndjson" >id
	page_examples "$ROOT/scripts/rr-retention.1" >script
	[ "$(wc -l <script)" = 3 ]
	sed -i "s/ID$/$(cat id)/" script
	run -0 --separate-stderr bash -euo pipefail script
	[ "$output" = "new sessions: not set -> 30d
new sessions: 30d -> 30d
existing sessions: 1 of 1 -> 30d
existing sessions: 1 of 1 -> infinite" ]
}

# ---- rr-meter, rr cost ----

# metered STREAM: its metered bytes, by what S2 answers.
metered() {
	curl -sS --fail-with-body -H "S2-Basin: $RR_BASIN" \
	    -H 's2-format: base64' \
	    "$S2_BASIN_ENDPOINT/v1/streams/${1//\//%2F}/records?seq_num=0" |
	    jq 'def bytes: (length / 4 * 3) - (if endswith("==") then 2
		elif endswith("=") then 1 else 0 end);
	    [.records[] | 8 + ((.body // "") | bytes) + ([(.headers // [])[] |
		2 + (.[0] | bytes) + (.[1] | bytes)] | add // 0)] | add'
}

@test "rr-meter: counts what S2 counts" {
	local uri
	new_basin
	id=$(rr import "$DATA/real-hogflix-four-pages.ndjson")
	uri=$(s2-stream name "$id")
	s2-tail "$uri" >rec
	run -0 rr-meter <rec
	[[ $output =~ ^records=([0-9]+)\ bytes=([0-9]+)\ ops=1\ first=([0-9]+)\ last=([0-9]+)$ ]]
	[ "${BASH_REMATCH[2]}" = "$(metered "${uri#s2://*/}")" ]
	read -r seq time < <(s2-stream tail "$uri")
	[ "${BASH_REMATCH[1]} ${BASH_REMATCH[4]}" = "$seq $time" ]
	((BASH_REMATCH[3] <= BASH_REMATCH[4]))
	run -0 rr-meter </dev/null
	[ "$output" = 'records=0 bytes=0 ops=0 first=0 last=0' ]
	# An operation is a minute: at 0, 59.999, 60 and 130 s.
	s2-stream create "s2://$RR_BASIN/old" timestamping=client-require
	for time in 1000000 1059999 1060000 1130000; do
		curl -sS --fail-with-body -o /dev/null -H "S2-Basin: $RR_BASIN" \
		    -H 'Content-Type: application/json' \
		    -d '{"records":[{"body":"x","timestamp":'$time'}]}' \
		    "$S2_BASIN_ENDPOINT/v1/streams/old/records"
	done
	run -0 bash -c "s2-tail s2://$RR_BASIN/old | rr-meter"
	[ "$output" = 'records=4 bytes=36 ops=3 first=1000000 last=1130000' ]
	# Cut anywhere, it says where.
	head -c 1000 rec >cut
	run -65 rr-meter <cut
	[[ $output =~ ^rr-meter:\ byte\ [0-9]+:\ the\ input\ ends\ within\ a\ record$ ]]
	printf '\377\377\377' >cut
	run -65 rr-meter <cut
	run -64 rr-meter x
	run -64 rr-meter -x
	run -0 rr-meter --help
}

@test "rr cost: bytes, operations and dollars, beside RePlaya's" {
	local a b ours theirs
	new_basin
	a=$(rr import -m '{"source":"shop"}' - <"$DATA/gen-session-shop.ndjson")
	b=$(rr import "$DATA/gen-big-snapshot-docs.ndjson")
	run -0 rr cost -js -d 60 -r 2
	printf '%s\n' "$output" >cost
	for id in "$a" "$b"; do
		jq -c --arg id "$id" '.groups[] | select(.id == $id) |
		    [.month, .source, .sessions, .events, .ops]' cost
	done >got
	month=$(date -u +%Y-%m)
	diff - got <<-EOF
	["$month","shop",1,1062,1]
	["$month","-",1,47,1]
	EOF
	# The one is small enough for S2 to say it in one answer.
	uri=$(s2-stream name "$a")
	jq --arg id "$a" '.groups[] | select(.id == $id) | .bytes' cost >ours
	[ "$(cat ours)" = "$(metered "${uri#s2://*/}")" ]
	# RePlaya's: 143 bytes an event; the event of 6.3 MB in 13 pieces.
	LC_ALL=C awk '{ n += length($0) + 143 } END { print n }' \
	    "$DATA/gen-session-shop.ndjson" >theirs
	LC_ALL=C awk '{ n += length($0) + (length($0) > 524288 ? 13 * 264 : 143) }
	    END { print n }' "$DATA/gen-big-snapshot-docs.ndjson" >>theirs
	for id in "$a" "$b"; do
		jq --arg id "$id" '.groups[] | select(.id == $id) |
		    .replaya.bytes' cost
	done | diff theirs -
	# $0.075 written, $0.05 a month for two, $0.10 read twice: $0.375 a GiB.
	jq -e --slurpfile ours ours --arg id "$a" '.groups[] |
	    select(.id == $id) |
	    (.dollars - $ours[0] / 1073741824 * 0.375 | fabs) < 1e-12' cost
	jq -e '.thousand.dollars * 5 < .thousand.replaya and
	    (.total.dollars * 500 - .thousand.dollars | fabs) < 1e-9' cost
}

@test "rr cost: the table, prices of one's own, and nothing" {
	local id
	new_basin
	run -0 rr cost
	[ "$(tr -s ' ' <<<"$output")" = "$(printf '%s\n' \
	    'month source sessions events ops MiB $ RePlaya MiB $' \
	    'total 0 0 0 0.000 0.000000 0.000 0.000000')" ]
	id=$(rr import -m '{"source":"a\u001b[1mb"}' - <"$DATA/gen-session-shop.ndjson")
	printf '# free\nWRITTEN_GIB=0\nSTORED_GIB_MONTH=0\nREAD_GIB=0\nAPPEND_OP=1.5\n' >free
	run -0 rr cost -p free "$id"
	printf '%s\n' "$output" | tr -s ' ' >got
	size=$(rr cost -j | jq -r '.total.bytes / 1048576 * 1000 | round / 1000')
	printf -v size %.3f "$size"
	diff - got <<-EOF
	month source sessions events ops MiB \$ RePlaya MiB \$
	$(date -u +%Y-%m) a?[1mb 1 1062 1 $size 1.500000 0.918 1.500000
	total 1 1062 1 $size 1.500000 0.918 1.500000
	1000 such sessions a month: \$1500.000; in RePlaya's format \$1500.000
	EOF
	echo 'READ_GIB=x' >>free
	run -65 rr cost -p free
	[ "$output" = 'rr-cost: free:6: not NAME=NUMBER with a name of prices.conf' ]
	echo 'READ_GIB=1' >free
	run -65 rr cost -p free
	run -66 rr cost -p none
	run -66 rr cost nosuch
	local args
	for args in '-d x' '-n 0' '-r -1' '-x'; do
		# shellcheck disable=SC2086 # words
		run -64 rr cost $args
	done
}

@test "rr-meter, rr cost: the examples of their pages" {
	new_basin
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	cp "$DATA/fixture-iframe.ndjson" a.ndjson
	{
		page_examples "$ROOT/scripts/rr-cost.1"
		page_examples "$ROOT/bin/rr-meter/rr-meter.1"
	} >script
	[ "$(wc -l <script)" = 4 ]
	uri=$(s2-stream name "$id")
	sed -i "s,s2://BASIN/STREAM,$uri," script
	run -0 bash -euo pipefail script
	[[ $output == *'in RePlaya'*'"id": "'"$id"'"'*$'\nrecords=2 bytes='*$' ops=1 first=0 last=0\nrecords='*' ops=1 '* ]]
}

# ---- rr bench-s2 ----

@test "rr bench-s2: measures, within its bounds, and leaves nothing" {
	new_basin
	run -0 --separate-stderr rr bench-s2 -j -n 7 -b 2
	[ -z "$stderr" ]
	jq -e '(.append, .follow, .read | .p50 > 0 and .p50 <= .p99 and
	    .p99 < 60000) and
	    (.append_rate, .read_rate | .mib_per_second > 0)' <<<"$output"
	[ "$(jq -c '[.append.count, .follow.count, .read.count]' <<<"$output")" \
	    = '[7,7,20]' ]
	jq -e '.append_rate.bytes / 2097152 | . >= 1 and . < 1.01' <<<"$output"
	[ -z "$(s2-stream list "s2://$RR_BASIN")" ]
	# It ends in time, and counts what there was time for.
	run -0 --separate-stderr rr bench-s2 -j -n 99999 -b 1 -t 1
	jq -e '.append.count > 0 and .append.count < 99999' <<<"$output"
	[ -z "$(s2-stream list "s2://$RR_BASIN")" ]
	local args
	for args in '-b 0' '-b 1025' '-n x' '-t 0' 'x' '-x'; do
		# shellcheck disable=SC2086 # words
		run -64 rr bench-s2 $args
	done
	RR_BASIN=t-none-$SRANDOM run -66 rr bench-s2
}

@test "rr bench-s2: killed by a signal, it deletes what it made" {
	new_basin
	start rr bench-s2 -n 99999
	wait_until 20 bash -c "s2-stream list s2://$RR_BASIN | grep -q bench"
	stop "$pid" || [ $? != 0 ]
	[ -z "$(s2-stream list "s2://$RR_BASIN")" ]
}

@test "rr bench-s2: the examples of its page" {
	new_basin
	page_examples "$ROOT/scripts/rr-bench-s2.1" >script
	[ "$(wc -l <script)" = 2 ]
	# However slow this machine is.
	sed -i 's/400/40000/' script
	run -0 bash -euo pipefail script
	[[ $output == *'append, until acknowledged'*'MiB/s'*true ]]
}

# ---- rr-operate(7) ----

# A systemd that knows our units, and nothing else.
fake_systemd() {
	local name
	mkdir fake
	for name in systemctl journalctl; do
		cat >"fake/$name" <<-EOF
		#!/bin/bash
		units=()
		[[ \$0 != */systemctl || \$1 =~ ^(status|restart|reload|list-timers)\$ ]] || exit 64
		[[ \$0 != */systemctl ]] || shift
		while ((\$#)); do
			case \$1 in
			-u) ;;
			--since | -p | -g) shift ;;
			# A field, which something of ours knows.
			RR_*=*) grep -q "\${1%%=*}" "$ROOT/lib/log.c" || exit 64 ;;
			-*) exit 64 ;;
			*) units+=("\$1") ;;
			esac
			shift
		done
		for unit in "\${units[@]}"; do
			[[ \$unit == *.* ]] || unit+=.service
			[[ -e $ROOT/systemd/\$unit ]] || exit 5
		done
		echo "\${0##*/} \${units[*]}"
		EOF
		chmod +x "fake/$name"
	done
	PATH=$PWD/fake:$PATH
}

@test "rr-operate(7): each of its commands runs" {
	local id
	serve_all
	fake_systemd
	id=$(rr import -m '{"user":"u1"}' - <"$DATA/fixture-iframe.ndjson")
	echo "RR_COLLECT_OPTIONS=-k $PWD/keys" >rrpipe.conf
	sed -n 's/^\.Dl //p' "$ROOT/scripts/rr-operate.7" |
	    sed 's/\\(dq/"/g; s/\\e/\\/g' >commands
	[ "$(wc -l <commands)" -ge 24 ]
	sed -e "s,/etc/rrpipe,$PWD,; s,127.0.0.1:8787,$RR_LISTEN_COLLECT," \
	    -e "s/\\bID\\b/$id/; s/\bUSER\b/u1/" \
	    -e "s,\bFILE\b,$ROOT/examples/mask-mail.jq," \
	    -e "/grep -v/s/\$/ || [ \$? = 1 ]/" commands >script
	run -0 bash -euo pipefail script
	printf '%s\n' "$output" >said
	grep -Fxq 'journalctl rr-collect rr-view rr-janitor s2-lite' said
	grep -Fxq 'systemctl rr-janitor.timer' said
	grep -Fxq '1 key' said
	grep -q "$id live\|$id stopped" said
	# Somebody was forgotten.
	run -66 rr cat "$id"
}

# ---- a downgrade ----

# later ID: appends what a later version would have written.
later() {
	printf ':record head=2108000000000151 body=eA==\n:end\n' | rr-frame |
	    s2-append "$(s2-stream name "$1")"
}

@test "downgrade: readers say that a later version wrote it" {
	new_basin
	printf '%s\n' '{"type":3,"timestamp":5}' | rr-frame >rec
	id=$(s2-stream new)
	uri=$(s2-stream name "$id")
	s2-append -c "$uri" <rec
	later "$id"
	run -3 --separate-stderr rr cat "$id"
	[ "$output" = '{"type":3,"timestamp":5}' ]
	[ "${stderr##*$'\n'}" = 'rr-reassemble: 1 records were written by a later version, and cannot be read' ]
	run -0 --separate-stderr rr-ls "$id"
	[[ $output == "$id live "* ]]
	[ "$stderr" = "rr-ls: $id: some of it was written by a later version; what is shown leaves that out" ]
	# What it does not know it carries along.
	rr cat -d "$id" 2>/dev/null >lines || [ $? = 3 ]
	grep -q '^:record .*head=2108000000000151 body=eA==' lines
	# Who watches hears of it as well, and goes on.
	local at
	at=http://127.0.0.1:$(free_port)
	start sse-bridge -l "${at#*//}" -x "$ROOT/scripts/routes"
	local bridge=$pid
	wait_until 10 curl -sf -o /dev/null "$at/health/live"
	start curl -sN "$at/api/sessions/$id/live?from=0"
	wait_until 10 grep -q '^event: tail' "$pid.out"
	grep -q '^data: :record .*head=2108000000000151 body=eA==' "$pid.out"
	curl -s "$at/api/sessions/$id/lines?from=start" >/dev/null
	grep -q 'rr-reassemble: 1 records were written by a later version' \
	    "$bridge.err"
	# And the bytes are those that were written.
	s2-tail -s 1 "$uri" | od -An -v -tx1 | tr -d ' \n' | grep -q 2108000000000151
}

@test "downgrade: the collector does not write into what it does not know" {
	local answer code
	new_basin
	RR_LISTEN_COLLECT=127.0.0.1:$(free_port)
	base=http://$RR_LISTEN_COLLECT/v1/sessions
	post() {
		code=$(curl -sS -o answer -w '%{http_code}' --data-binary \
		    '{"type":3,"timestamp":'"$1"'}' "$base/$id/lines?token=$token")
	}
	start rr-ingest -l "$RR_LISTEN_COLLECT" -S secret
	wait_until 20 curl -sf -o /dev/null "http://$RR_LISTEN_COLLECT/health/ready"
	answer=$(curl -sS --fail-with-body -X POST "$base?key=dev")
	id=$(jq -r .id <<<"$answer") token=$(jq -r .token <<<"$answer")
	post 1
	[ "$code" = 200 ]
	stop "$pid"
	# A later version takes its place for a while.
	later "$id"
	before=$(s2-stream tail "$(s2-stream name "$id")")
	start rr-ingest -l "$RR_LISTEN_COLLECT" -S secret
	wait_until 20 curl -sf -o /dev/null "http://$RR_LISTEN_COLLECT/health/ready"
	post 2
	[ "$code" = 409 ]
	[ "$(jq -r .verdict answer)" = closed ]
	grep -Fq "session $id was written by a later version; its recorder is told to open a new one" "$pid.err"
	[ "$(s2-stream tail "$(s2-stream name "$id")")" = "$before" ]
	# And a new one it may.
	answer=$(curl -sS --fail-with-body -X POST "$base?key=dev")
	id=$(jq -r .id <<<"$answer") token=$(jq -r .token <<<"$answer")
	post 3
	[ "$code" = 200 ]
}

# ---- licences ----

@test "licences: each package in the web files, with its notice" {
	node -p 'Object.entries(require(process.argv[1]).packages).map(([path, p]) =>
	    path.replace(/^.*node_modules\//, "") + " " + p.version).join("\n")' \
	    "$ROOT/lib/web/package-lock.json" |
	    grep -Ev '^( |@esbuild/|esbuild |@types/)' | sort >packages
	grep -q '^@rrweb/record ' packages
	while read -r package; do
		grep -Fxq "$package" "$BUILD/web/licenses.txt"
	done <packages
	[ "$(grep -c '^Copyright' "$BUILD/web/licenses.txt")" -ge "$(wc -l <packages)" ]
}

# ---- README ----

@test "README: its pipelines run" {
	new_basin
	sed -n '/^Each stage is/,/^## /s/^    //p' "$ROOT/README.md" >script
	[ "$(wc -l <script)" = 6 ]
	# Following has an end here.
	sed -i "s,tests/data,$ROOT/&,; s,s2://rrpipe-sessions,s2://$RR_BASIN,
	    s/s2-tail -f /s2-tail -f -n 1 /" script
	bash -euo pipefail script >said
	grep -c '"type":3' said
	[ "$(rr ls | wc -l)" = 0 ]
}

@test "README: the files that it names are there" {
	local file
	grep -o '](\([^)#]*\))' "$ROOT/README.md" | sed 's/^](//; s/)$//' |
	    grep -v ^https: >files
	[ "$(wc -l <files)" -gt 5 ]
	while read -r file; do
		[ -e "$ROOT/$file" ]
	done <files
	# And the tests that the other one names, for each of 32 weaknesses.
	sed -n 's/^| [0-9]* | .* | \(.*\) |$/\1/p' "$ROOT/tests/README.md" >named
	[ "$(wc -l <named)" = 32 ]
	sed -n 's/^@test "\(.*\)" {$/\1/p' "$ROOT"/tests/*.bats >tests
	[ "$(grep -vxFf tests named)" = '' ]
}

# ---- What the pages say of defaults ----

# defaults PAGE: those that it gives, as OPTION NUMBER.
defaults() {
	awk '
	    /^\.It Fl [A-Za-z]( |$)/ { option = $3; text = ""; next }
	    /^\.(It|El|Sh|Bl)/ { option = "" }
	    option == "" || /^\./ { next }
	    { text = text " " $0 }
	    match(text, /default is [0-9]+|[0-9]+ by default/) {
		value = substr(text, RSTART, RLENGTH)
		gsub(/[^0-9]/, "", value)
		print option, value
		option = ""
	    }' "$1"
}

@test "pages: the defaults are those that --help tells" {
	local page program option value n=0
	for page in "$ROOT"/bin/*/*.1; do
		program=$(basename "$page" .1)
		"$program" --help >help
		while read -r option value; do
			# Its line, and those that go on with it.
			sed -n "/^  *-$option[ ,]/,/^  *-/p" help | sed '2,${/^ *-/d}' |
			    grep -q "($value[^0-9]" ||
			    fail "$program -$option: not $value in --help"
			((++n))
		done < <(defaults "$page")
	done
	((n > 10)) || fail "only $n defaults found"
}

@test "rr config: the lease is longer than a hidden tab is silent" {
	# Its timers run once a minute, and a beat may come late.
	local lease
	lease=$(rr config | sed -n 's/^RR_LEASE=\([0-9]*\) .*/\1/p')
	((lease > 2 * 60))
	grep -A2 'It Ev RR_LEASE' "$ROOT/scripts/rrpipe.conf.5" |
	    grep -q "ended; $lease\."
}
