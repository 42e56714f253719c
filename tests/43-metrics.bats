# What the running system tells about itself: figures that move when, and only
# when, what they count happens, and whether S2 is there.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
}

# start_ring [OPTIONS]: sets ring (its pid) and collector.
start_ring() {
	local port
	port=$(free_port)
	collector=http://127.0.0.1:$port
	start rr-ingest -l "127.0.0.1:$port" -S "$PWD/secret" \
	    -M "unix:$PWD/metrics" "$@"
	ring=$pid
	wait_until 10 ready "$collector"
}

# ready URL: it says that S2 is there.
ready() {
	[[ $(curl -s -m 5 "$1/health/ready") == '{"ready":true}' ]]
}

figures() {
	curl -sS --fail-with-body --unix-socket "${1:-metrics}" http://x/metrics
}

# figure SERIES [SOCKET]: its value.
figure() {
	figures "${2:-metrics}" | awk -v s="$1" '
		substr($0, 1, length(s) + 1) == s " " { print $NF; found = 1 }
		END { exit !found }'
}

# counters: the counters of the collector, but those of bytes.
counters() {
	figures | grep -E '^rrpipe_collect_[a-z_]+_total[ {]' | grep -v _bytes_
}

# moves 'SERIES N ...' COMMAND...: the command moves these counters by so much,
# and no others. (It is awaited: what comes of it may come after it.)
moves() {
	local want=$1
	shift
	counters >before
	"$@"
	wait_until 10 has_moved "$want" || {
		moved before
		return 1
	}
}

moved() {
	counters | awk 'NR == FNR { old[$1] = $2; next }
		$2 != old[$1] {
			by = $2 - old[$1]
			sub(/^rrpipe_collect_/, "", $1)
			sub(/_total/, "", $1)
			print $1, by
		}' before - | paste -sd ' '
}

has_moved() {
	[[ $(moved) == "$1" ]]
}

# says STATUS VERDICT CURL OPTIONS
says() {
	local status
	status=$(curl -sS -m 60 -o answer -w '%{http_code}' "${@:3}")
	[[ $status == "$1" && $(jq -r .verdict answer) == "$2" ]] || {
		echo "wanted $1 $2, got $status $(<answer)" >&2
		return 1
	}
}

# open_session KEY: sets session (its URL), id and token.
open_session() {
	curl -sS -d '{}' "$collector/v1/sessions?key=$1" >open.json
	id=$(jq -er .id open.json)
	token=$(jq -er .token open.json)
	session=$collector/v1/sessions/$id
}

E='{"type":3,"timestamp":1767225600000,"data":{"source":1}}'

@test "metrics: each thing moves its counter and no other" {
	printf '%s\n' 'if .bad then error else . end' >bad.jq
	cat >keys <<-EOF
	shop https://shop.example
	few * opens=1
	shut * bots=refuse
	part * sample=0
	jq * filter=$PWD/bad.jq
	EOF
	start_ring -k keys -P 127.0.0.1 --posts 1 --max-body 2000
	local from='X-Forwarded-For: 203.0.113' lines
	moves 'opened 1' open_session shop
	lines="$session/lines?token=$token&tab=a&batch"
	moves 'batches{result="accepted"} 1 events 2' \
	    says 200 stored -d "$E"$'\n'"$E" "$lines=1"
	moves 'batches{result="repeated"} 1' says 200 stored -d "$E" "$lines=1"
	moves 'gaps{cause="overflow"} 1' says 200 stored -d '' \
	    "$session/gap?token=$token&tab=a&batch=2-4&cause=overflow"
	moves 'gaps{cause="lost"} 1' says 200 stored -d '' \
	    "$session/gap?token=$token&tab=a&batch=5&cause=lost"
	moves 'gaps{cause="privacy"} 1' says 200 stored -d '' \
	    "$session/gap?token=$token&tab=a&batch=6&cause=privacy"
	moves '' says 200 stored -d '{"user":"ann"}' "$session/meta?token=$token"
	moves '' says 200 stored -d '' "$session/beat?token=$token&tab=a"

	refused() {
		moves "refused{verdict=\"$2\",reason=\"$3\"} 1" says "$1" "$2" "${@:4}"
	}
	refused 400 bad body -d '{"type":' "$lines=7"
	refused 400 bad body -d '[]' "$session/meta?token=$token"
	refused 400 bad gzip -d "$E" "$lines=7&gz=1"
	refused 400 bad query -d "$E" "$lines=0"
	refused 404 bad route -d "$E" "$session/what?token=$token"
	refused 405 bad route "$lines=7"
	refused 413 big length -d "$(printf '{"a":"%03000d"}' 1)" "$lines=7"
	refused 401 denied key -d '{}' "$collector/v1/sessions?key=none"
	refused 401 denied token -d "$E" "$session/lines?token=${token}A"
	refused 403 denied origin -d '{}' -H 'Origin: https://evil.example' \
	    "$collector/v1/sessions?key=shop"
	refused 403 denied bot -d '{}' -A Googlebot "$collector/v1/sessions?key=shut"
	refused 503 away early -d "$E" "$lines=9"
	moves 'batches{result="accepted"} 1 events 1' says 200 stored -d "$E" "$lines=7"

	moves 'unsampled 1' says 200 unsampled -d '{}' "$collector/v1/sessions?key=part"
	moves 'opened 1' open_session few
	refused 429 slow key_rate -d '{}' "$collector/v1/sessions?key=few"
	local n
	for n in {1..10}; do
		says 200 stored -d '' -H "$from.7" "$session/beat?token=$token"
	done
	floods() {
		wait_until 10 says 429 slow -d '' -H "$from.7" "$session/beat?token=$token"
	}
	moves 'refused{verdict="slow",reason="address_rate"} 1' floods

	moves 'opened 1' open_session jq
	moves 'batches{result="accepted"} 1 events 1 gaps{cause="filter"} 1' \
	    says 200 stored -d '{"bad":true}'$'\n'"$E" \
	    "$session/lines?token=$token&tab=a&batch=1"
	moves 'stopped 1' says 200 stopped -d '' "$session/stop?token=$token"
	refused 409 closed fenced -d "$E" "$session/lines?token=$token&tab=a&batch=2"
	open_session jq
	rr rm -f "$id"
	refused 410 gone deleted -d "$E" "$session/lines?token=$token&tab=a&batch=1"
	open_session jq
	rr stop "$id"
	refused 409 closed fenced -d "$E" "$session/lines?token=$token&tab=a&batch=1"
}

@test "metrics: under load recorders are slowed down, and the rest refused" {
	start_s2
	new_basin
	start_ring --max-stored 40 --max-memory 1048576
	local lines n
	open_session dev
	lines="$session/lines?token=$token&tab=a&batch"
	says 200 stored -d "$E" "$lines=1"
	[ "$(jq .flush answer)" = 5000 ]
	{ printf '{"a":"'; head -c 1500000 /dev/zero | tr '\0' 1; printf '"}'; } >large
	moves 'refused{verdict="away",reason="memory"} 1' \
	    says 503 away --data-binary @large "$lines=2"
	kill -STOP -- "-$s2_pid"
	# beats FIRST LAST: so many, which S2 does not answer.
	beats() {
		for ((n = $1; n <= $2; n++)); do
			((n == $1)) || echo next
			printf 'url = "%s"\ndata = ""\noutput = "/dev/null"\n' \
			    "$session/beat?token=$token&tab=$n"
		done >"beats.$1"
		start curl -s --parallel --parallel-immediate -K "$PWD/beats.$1"
	}
	waiting_units() {
		(($(figure rrpipe_collect_waiting_units) >= $1))
	}
	beats 1 22
	wait_until 10 waiting_units 22
	# What needs no S2 is answered, and told to come less often.
	moves 'batches{result="repeated"} 1' says 200 stored -d "$E" "$lines=1"
	[ "$(jq .flush answer)" = 10000 ]
	beats 23 45
	wait_until 10 waiting_units 40
	local full='rrpipe_collect_refused_total{verdict="away",reason="full"}' before
	before=$(figure "$full")
	says 503 away -d "$E" "$lines=2"
	[ "$(jq .retry answer)" = 2000 ]
	(($(figure "$full") > before))
	kill -CONT -- "-$s2_pid"
	wait_until 20 eval '(($(figure rrpipe_collect_waiting_units) == 0))'
	says 200 stored -d "$E" "$lines=2"
	[ "$(jq .flush answer)" = 5000 ]
}

@test "metrics: bytes, sessions, times, and S2's part" {
	start_ring
	local fenced
	open_session dev
	printf '%s\n' "$E" "$E" "$E" >batch
	gzip -k batch
	figures >before
	says 200 stored --data-binary @batch.gz "$session/lines?token=$token&gz=1"
	[ "$(figure 'rrpipe_collect_received_bytes_total{form="wire"}')" = \
	    $((2 + $(stat -c %s batch.gz))) ]
	[ "$(figure 'rrpipe_collect_received_bytes_total{form="unpacked"}')" = \
	    $((2 + $(stat -c %s batch))) ]
	[ "$(figure 'rrpipe_collect_sessions{state="known"}')" = 1 ]
	[ "$(figure 'rrpipe_collect_sessions{state="live"}')" = 1 ]
	[ "$(figure rrpipe_collect_ack_seconds_count)" = 1 ]
	[ "$(figure 'rrpipe_collect_ack_seconds_bucket{le="+Inf"}')" = 1 ]
	wait_until 5 eval '(($(figure rrpipe_collect_waiting_units) == 0))'
	[ "$(figure 'rrpipe_collect_waiting_bytes{where="bodies"}')" = 0 ]
	[ "$(figure rrpipe_collect_ready)" = 1 ]
	# S2's come once a second.
	s2_says() {
		(($(figure "rrpipe_s2_$1") >= $2))
	}
	# Its fence, metadata and batch, and what the index gets.
	wait_until 10 s2_says stored_records_total 3
	wait_until 10 s2_says 'calls_total{kind="create",status="200"}' 1
	(($(figure rrpipe_s2_stored_bytes_total) > 100))
	[ "$(figure 'rrpipe_s2_calls_total{kind="append",status="412"}')" = 0 ]
	rr stop "$id"
	says 409 closed -d "$E" "$session/lines?token=$token"
	fenced() {
		(($(figure 'rrpipe_s2_calls_total{kind="append",status="412"}') >= 1))
	}
	wait_until 10 fenced
	[ "$(figure 'rrpipe_collect_sessions{state="live"}')" = 0 ]
}

@test "s2-append -S: what it counted, at the end" {
	printf '%s\n' ':stream name=x/a' :create ':meta {}' ':end token=t' \
	    ':stream name=x/none' ':meta {}' ':end token=u' | rr-frame -m >rec
	s2-append -mS "s2://$RR_BASIN" <rec >out
	[ "$(grep -c '^:ack token=t seq=0 count=1 ' out)" = 1 ]
	[ "$(grep -c '^:nak token=u reason=missing status=404' out)" = 1 ]
	[ "$(grep '^:stat call=create' out)" = ':stat call=create status=200 calls=1' ]
	grep -qx ':stat call=append status=200 calls=1' out
	grep -qx ':stat call=append status=404 calls=1' out
	[[ $(grep '^:stat retries=' out | tail -n 1) =~ \
	    ^:stat\ retries=[01]\ records=1\ bytes=[0-9]+\ queued=0\ queued-bytes=0$ ]]
	s2-append -m "s2://$RR_BASIN" <rec >out || [ $? -lt 99 ]
	run ! grep :stat out
	run -64 s2-append -S "s2://$RR_BASIN/x/a"
}

@test "metrics: where they are served, and where not" {
	start_ring
	figures >all
	# Each name has one HELP, then one TYPE, then its values in one place.
	awk '
		/^# HELP rrpipe_[a-z0-9_]+ [A-Z1].*\.$/ { now = $3; if (seen[now]++) exit 1; next }
		/^# TYPE rrpipe_[a-z0-9_]+ (counter|gauge|histogram)$/ { if ($3 != now || typed[now]++) exit 1; next }
		/^rrpipe_[a-z0-9_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? [0-9.]+$/ {
			if (index($1, now) != 1 || !typed[now] || series[$1]++) exit 1
			next
		}
		{ print; exit 1 }' all
	run -0 curl -sS -D head -o /dev/null --unix-socket metrics http://x/metrics
	grep -qi '^content-type: text/plain; version=0.0.4' head
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket metrics http://x/)" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket metrics -d x http://x/metrics)" = 405 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$collector/metrics")" = 404 ]
	[ "$(stat -c %a metrics)" = 600 ]
	stop "$ring"
	[ ! -e metrics ]
	local port
	port=$(free_port)
	start rr-ingest -l "unix:$PWD/sock" -M "127.0.0.1:$port" -M "unix:$PWD/too"
	wait_until 10 eval 'figures too | grep -q rrpipe_collect_ready'
	wait_until 10 eval 'curl -sf "http://127.0.0.1:$port/metrics" | grep -q rrpipe_collect_ready'
	run -64 rr-collect -l "unix:$PWD/x" -M 0.0.0.0:0 </dev/null
	[[ $output == *'other machines would reach it'* ]]
	run -64 rr-collect -l "unix:$PWD/y" -M nowhere </dev/null
}

@test "health: red within 5 s of S2's death, green within 5 s of its return" {
	start_s2 s2
	new_basin
	start_ring
	red() {
		local status
		status=$(curl -s -m 10 -o health -w '%{http_code}' "$1/health/ready")
		[[ $status == 503 && $(jq -c .ready health) == false ]]
	}
	within() {
		local begun=${EPOCHREALTIME/[.,]/}
		wait_until 20 "${@:2}"
		(((${EPOCHREALTIME/[.,]/} - begun) / 1000 <= $1))
	}
	kill -KILL -- "-$s2_pid"
	within 5000 red "$collector"
	[ "$(jq -r .reason health)" = 'S2 does not answer' ]
	wait_until 10 eval '[[ $(figure rrpipe_collect_ready) == 0 ]]'
	wait_until 10 eval '(($(figure "rrpipe_s2_calls_total{kind=\"tail\",status=\"none\"}") > 0))'
	wait_until 10 eval '(($(figure rrpipe_s2_retries_total) > 0))'
	# Asked again and again meanwhile, and not at all.
	local n
	for n in {1..4}; do
		red "$collector"
	done
	start_s2 s2
	within 5000 ready "$collector"
	[ "$(figure rrpipe_collect_ready)" = 1 ]
	# One that hangs.
	kill -STOP -- "-$s2_pid"
	within 5000 red "$collector"
	kill -CONT -- "-$s2_pid"
	within 5000 ready "$collector"
}

# ---- the dashboard's server ----

# start_view [ROUTES]: sets view (its pid) and at, its metrics on view-metrics.
start_view() {
	local port
	port=$(free_port)
	at=http://127.0.0.1:$port
	start sse-bridge -l "127.0.0.1:$port" -M "unix:$PWD/view-metrics" \
	    -x "${1:-$ROOT/scripts/routes}" -r 64
	view=$pid
	wait_until 10 eval 'curl -sf -o /dev/null "$at/health/live"'
}

# view_moves 'SERIES N ...' COMMAND...: as moves, of the dashboard's server.
# (Each look asks whether S2 is there: its command is no part of it.)
view_moves() {
	local want=$1
	shift
	view_counters >view.before
	"$@"
	wait_until 10 view_has_moved "$want" || {
		view_moved
		return 1
	}
}

view_counters() {
	figures view-metrics | grep -E '^rrpipe_view_[a-z_]+_total[ {]' |
	    grep -v -e _bytes_ -e 'route="ready"'
}

view_moved() {
	view_counters | awk 'NR == FNR { old[$1] = $2; next }
		$2 != old[$1] {
			by = $2 - old[$1]
			sub(/^rrpipe_view_/, "", $1)
			sub(/_total/, "", $1)
			print $1, by
		}' view.before - | paste -sd ' '
}

view_has_moved() {
	[[ $(view_moved) == "$1" ]]
}

answers() {
	local status
	status=$(curl -s -o answer -w '%{http_code}' "${@:2}")
	[[ $status == "$1" ]]
}

@test "health: red with the reason while the token may not append" {
	local port proxy
	new_basin
	proxy=$(free_port)
	start node "$ROOT/tests/count-proxy.mjs" "$proxy" "$S2_BASIN_ENDPOINT" denied
	wait_until 20 grep -q ready "$pid.out"
	export S2_BASIN_ENDPOINT=http://127.0.0.1:$proxy
	start_ring
	touch denied
	says 503 away -d '{}' "$collector/v1/sessions?key=dev"
	wait_until 5 answers 503 "$collector/health/ready"
	[ "$(jq -c '[.ready, .reason]' answer)" = \
	    '[false,"S2 does not let us append"]' ]
	grep -Fxq 'rrpipe_collect_ready 0' <(figures)
	run -77 rr doctor -c
	grep -q '^fail S2 append: .*permission_denied.*; give the token the right to this, or another token$' <<<"$output"
	rm denied
	wait_until 5 answers 200 "$collector/health/ready"
	open_session dev
}

@test "metrics: the dashboard's server" {
	mkdir routes
	local name
	for name in list show lines live stop delete ready; do
		printf '#!/bin/bash\n%s\n' 'exit "$(cat status 2>/dev/null || echo 0)"' >routes/$name
		chmod +x routes/$name
	done
	start_view "$PWD/routes"
	local s=$at/api/sessions id=0000000000000-0123456789abcdef
	id=$(s2-stream new)
	view_moves 'commands{route="list",result="ok"} 1' answers 200 "$s"
	echo 66 >status
	view_moves 'commands{route="show",result="failed"} 1 refused{status="404"} 1' \
	    answers 404 "$s/$id"
	echo 75 >status
	view_moves 'commands{route="lines",result="failed"} 1 refused{status="503"} 1' \
	    answers 503 "$s/$id/lines"
	view_moves 'commands{route="delete",result="failed"} 1 refused{status="503"} 1' \
	    answers 503 -X DELETE -H 'X-RR: 1' "$s/$id"
	echo 0 >status
	view_moves 'commands{route="stop",result="ok"} 1' \
	    answers 200 -X POST -H 'X-RR: 1' "$s/$id/stop"
	view_moves 'refused{status="403"} 1' answers 403 -X POST "$s/$id/stop"
	view_moves 'refused{status="405"} 1' answers 405 -X POST -H 'X-RR: 1' "$s"
	view_moves 'refused{status="421"} 1' answers 421 -H 'Host: evil.example' "$s"
	view_moves 'refused{status="404"} 1' answers 404 "$s/x"

	# A live pipeline that follows a file.
	cat >routes/live <<-'EOS'
	#!/bin/bash
	echo $$ >>started
	exec tail -q -s 0.02 -n +1 -F lines 2>/dev/null
	EOS
	touch lines started
	watches() {
		start curl -sN -o "view.$1" "$s/$id/live?from=0"
		viewer=$pid
		wait_until 10 test -s "view.$1"
	}
	printf ':tail seq=0 time=1\n' >lines
	view_moves 'joined 1 pipeline_starts 1' watches 1
	local first=$viewer
	view_moves 'joined 1' watches 2
	[ "$(figure rrpipe_view_viewers view-metrics)" = 2 ]
	[ "$(figure rrpipe_view_watched_sessions view-metrics)" = 1 ]
	[ "$(figure rrpipe_view_pipelines view-metrics)" = 1 ]
	tells() {
		printf ':batch tab=0 batch=%d seq=%d seqs=1 time=1\n{"n":1}\n:end\n' "$1" "$1" >>lines
	}
	view_moves 'messages 1 sent_messages 2' tells 1
	(($(figure rrpipe_view_ring_bytes view-metrics) > 80))
	breaks() {
		kill -9 "$(tail -n 1 started)"
	}
	view_moves 'pipeline_starts 1 pipeline_restarts 1 commands{route="live",result="failed"} 1' breaks
	# One that does not read is cut when what it has begun to get is dropped.
	view_moves 'joined 1 sent_messages 1' start curl -sN --limit-rate 1 -o slow "$s/$id/live?from=0"
	printf ':batch tab=0 batch=2 seq=2 seqs=1 time=1\n{"a":"%020000000d"}\n:end\n' 1 >>lines
	for n in 1 2; do
		wait_until 20 eval '(($(stat -c %s view.$n) > 20000000))'
	done
	tells 3
	tells 4
	printf ':batch tab=0 batch=5 seq=5 seqs=1 time=1\n{"a":"%0100000d"}\n:end\n' 1 >>lines
	wait_until 20 eval '(($(figure "rrpipe_view_behind_total{how=\"cut\"}" view-metrics) == 1))'
	stop "$first" || :
	stop "$view"
	[ ! -e view-metrics ]
}

@test "health: the dashboard's server is red and green in time as well" {
	start_s2 s2
	new_basin
	start_view
	wait_until 10 ready "$at"
	red() {
		local status
		status=$(curl -s -m 10 -o health -w '%{http_code}' "$1/health/ready")
		[[ $status == 503 && $(jq -c .ready health) == false ]]
	}
	within() {
		local begun=${EPOCHREALTIME/[.,]/}
		wait_until 20 "${@:2}"
		(((${EPOCHREALTIME/[.,]/} - begun) / 1000 <= $1))
	}
	kill -KILL -- "-$s2_pid"
	within 5000 red "$at"
	[ "$(jq -r .reason health)" = 'S2 does not answer' ]
	[ "$(curl -s "$at/health/live")" = live ]
	wait_until 10 eval '[[ $(figure rrpipe_view_ready view-metrics) == 0 ]]'
	start_s2 s2
	within 5000 ready "$at"
	kill -STOP -- "-$s2_pid"
	within 5000 red "$at"
	kill -CONT -- "-$s2_pid"
	within 5000 ready "$at"
	wait_until 10 eval '[[ $(figure rrpipe_view_ready view-metrics) == 1 ]]'
}

@test "rr top: what happens, a line a second" {
	start_ring
	start_view
	start rr top "unix:$PWD/metrics" "unix:$PWD/view-metrics"
	local top=$pid n
	open_session dev
	acted() {
		says 200 stored -d "$E"$'\n'"$E" "$session/lines?token=$token"
		says 401 denied -d "$E" "$session/lines?token=x"
		curl -s -o /dev/null "$at/none"
		# S2 yes, a session, batches, events, refusals, a time, calls,
		# and of the dashboard refusals
		grep -qE '^yes 1 0 [1-9][0-9.]* [1-9][0-9.]* [1-9][0-9]* [1-9][0-9.]* 0\.0 [0-9.]+m?s [0-9.]+m?s [0-9]+ [1-9][0-9.]* 0\.0 [0-9]+K? [1-9][0-9.]* 0\.0$' \
		    "$top.out"
	}
	wait_until 20 acted || {
		cat "$top.out" "$top.err" >&2
		false
	}
	[ "$(head -n 1 "$top.out" | wc -w)" = 17 ]
	[ "$(sed -n 2p "$top.out" | wc -w)" = 16 ]
	# Where rr up would have them, and in a terminal.
	mkdir data
	ln metrics data/collect-metrics.sock
	export RR_DATA=$PWD/data
	run -0 --separate-stderr rr top -n 2
	[ "${#lines[@]}" = 3 ]
	page_examples "$ROOT/scripts/rr-top.1" >script
	run -0 --separate-stderr bash script
	[[ $output == 'yes '* ]]
	script -qec 'rr top -n 1' /dev/null </dev/null >screen
	grep -aq 'sessions        1' screen
	stop "$ring"
	stop "$view"
	local status=0
	ended "$top" 10 || status=$?
	[ "$status" = 75 ]
	run -75 --separate-stderr rr top
	[[ $stderr == 'rr-top: nothing '* ]]
	run -64 rr top -n 0
	run -64 rr top -x
}

@test "examples: monitoring names what there is" {
	start_ring
	start_view
	{ figures; figures view-metrics; } >all
	local name monitoring=$ROOT/examples/monitoring
	jq -e '[.panels[] | .id] == [range(1; (.panels | length) + 1)]
	    and all(.panels[]; (.targets | length) > 0 and .title != "")' \
	    "$monitoring/dashboard.json" >/dev/null
	for name in $(grep -ohE 'rrpipe_[a-z0-9_]+' "$monitoring"/* | sort -u); do
		# A pattern of names ends in '_'.
		[[ $name == *_ ]] || grep -q "^$name[ {]" all || fail "$name"
	done
	# And the other way round: nothing is counted that no page tells of.
	for name in $(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' all); do
		grep -q "$name" "$ROOT/bin/rr-collect/rr-collect.1" \
		    "$ROOT/bin/sse-bridge/sse-bridge.1" || fail "$name"
	done
	# Labels as well.
	local label
	while read -r name label; do
		grep -q "^$name{.*$label=" all || fail "$name $label"
	done < <(grep -ohE 'rrpipe_[a-z_]+\{[a-z]+' "$monitoring"/* | tr '{' ' ' | sort -u)
}

@test "live: a session that takes too much memory ends its own pipeline" {
	# Sanitizers have no use for such a limit.
	env -u MAKEFLAGS make -s -C "$ROOT" BUILD="${BUILD%-sanitize}" all
	PATH=${BUILD%-sanitize}/bin:$PATH
	export RR_VIEW_MEMORY=48
	start_view
	local bad good pipe each
	bad=$(s2-stream new)
	good=$(s2-stream new)
	for each in "$bad" "$good"; do
		lines_are ':fence set=active' ':batch tab=a batch=1' '{"n":1}' |
		    grows "$each"
	done
	start curl -sN "$at/api/sessions/$bad/live?from=0"
	wait_until 10 grep -q '"n":1' "${pid?}.out"
	start curl -sN "$at/api/sessions/$good/live?from=0"
	local watcher=$pid
	wait_until 10 grep -q '"n":1' "$watcher.out"
	pipe=$(pgrep -f "routes/live $bad" -P "$view")
	# Small as it is stored, and 60 MB when it is read.
	{
		printf '{"a":"'
		head -c 60000000 /dev/zero | tr '\0' 0
		echo '"}'
	} >large
	{ lines_are ':fence use=active' ':batch tab=a batch=2'; cat large; } |
	    grows "$bad"
	wait_until 20 grep -q "live $bad is started again" "$view.err"
	grep -q '^rr-reassemble: ' "$view.err"
	wait_until 10 group_gone "$pipe"
	# Nobody else notices, and it comes back ever more seldom.
	lines_are ':fence use=active' ':batch tab=a batch=2' '{"n":2}' |
	    grows "$good"
	wait_until 10 grep -q '"n":2' "$watcher.out"
	[ "$(figure rrpipe_view_pipelines view-metrics)" -ge 1 ]
	wait_until 20 grep -q "live $bad is started again in 1000 ms" "$view.err"
	# Nor does what is read otherwise bring down more than itself.
	[ "$(curl -s "$at/api/sessions/$bad/lines?from=start" | wc -c)" -lt 60000000 ]
	curl -sf "$at/api/sessions/$good/lines?from=start" | grep -q '"n":2'
	# With room all is there.
	stop "$view"
	RR_VIEW_MEMORY=512 start_view
	curl -sf "$at/api/sessions/$bad/lines?from=start" | grep '^{' |
	    cmp - <(echo '{"n":1}'; cat large)
}

lines_are() {
	printf '%s\n' "$@"
}

# grows ID: appends lines to its stream.
grows() {
	{ cat; echo :end; } | rr-frame |
	    s2-append -c "$(s2-stream name "$1")" >/dev/null
}
