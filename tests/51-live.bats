# Watching on the real thing: sessions in S2, the bridge with its routes, and
# viewers that come, go, stall and come back while S2 and pipelines die.

load helper
PATH=$BUILD/tests:$PATH

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
}

# serve OPTION...: starts the bridge, on a free port unless -l says where; sets
# bridge, at and log.
serve() {
	[[ ${1-} == -l ]] || set -- -l 127.0.0.1:0 "$@"
	start sse-bridge -v -x "$ROOT/scripts/routes" "$@"
	bridge=$pid
	log=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on' "$log"
	at=http://$(sed -n 's/.*listening on //p' "$log")/api/sessions
}

# open_session: a new one, records 0 and 1; sets id and uri.
open_session() {
	id=$(s2-stream new)
	uri=$(s2-stream name "$id")
	printf '%s\n' ':fence set=active' ':meta {"url":"https://x.example/"}' \
	    ':end token=open' | rr-frame | s2-append -c "$uri" >open.acks
}

# paced FILE SECONDS [FIRST]: the file as batches of five events of tab 1,
# numbered from FIRST (1), a batch each so many seconds.
paced() {
	LC_ALL=C awk -v pause="$2" -v batch="${3:-1}" '
	NR % 5 == 1 { print ":batch tab=1 batch=" batch }
	{ print }
	NR % 5 == 0 { done() }
	END { if (NR % 5) done() }
	function done() {
		print ":end token=" batch++
		fflush()
		system("sleep " pause)
	}' "$1"
}

# feed FILE SECONDS [FIRST]: appends it so, in the background; sets feeder.
feed() {

	start bash -c "$(declare -f paced)
		set -o pipefail
		paced $* | rr-frame | s2-append -t active -T 120 $uri"
	feeder=$pid
}
feeds=0

append() {
	rr-frame | s2-append -t active "$uri" >append.acks
}

view() {
	start curl -sN -o "view.$1" "$at/$id/live?from=$2" "${@:3}"
	viewer=$pid
}

has() {
	grep -qF -- "$2" "$1"
}

# whole: of the messages on stdin those that are complete.
whole() {
	LC_ALL=C awk '{ m = m $0 "\n" } $0 == "" { printf "%s", m; m = "" }'
}

# events FILE: the events in it, as they were.
events() {
	sed -n 's/^data: \([{"]\)/\1/p' "$1"
}

# has_events FILE WANTED: it has as many events.
has_events() {
	[[ $(events "$1" | wc -l) -ge $(wc -l <"$2") ]]
}

# tails N: so many s2-tail read the session.
tails() {
	[[ $(pgrep -fc "^s2-tail .*$id") -eq $1 ]]
}

@test "live: one S2 read for two viewers, who get each event as it was" {
	local file
	open_session
	serve -k 1
	view 1 2
	local first=$viewer
	view 2 2
	wait_until 5 tails 1
	file=$DATA/real-rrweb-player-demo.ndjson
	feed "$file" 0.01
	ended "$feeder"
	wait_until 5 has_events view.1 "$file"
	wait_until 5 has_events view.2 "$file"
	events view.1 | cmp - "$file"
	events view.2 | cmp - "$file"
	tails 1
	# One after the other leaves, and so does the pipeline.
	stop "$first" || :
	tails 1
	stop "$viewer" || :
	wait_until 5 tails 0
	wait_until 5 gone "$(pgrep -f "routes/live $id" || echo 0)"
}

@test "live: the messages are what rr-reassemble and the filter make" {
	open_session
	serve
	printf '%s\n' ':batch tab=1 batch=1' '{"type":4}' '{"type":2}' :end \
	    ':beat tab=1' ':gap tab=1 batch=2-3 cause=overflow events=7' \
	    ':batch tab=1 batch=5' '"packed"' :end ':meta {"title":"x"}' \
	    ':end token=1' | append
	printf '%s\n' ':fence set=stopped use=active' ':stop {"a":1}' \
	    ':end token=2' | rr-frame | s2-append "$uri" >append.acks
	view 1 0
	ended "$viewer"
	# The stop ends it before the tail can be told.
	s2-tail "$uri" | rr-reassemble -dq | sed '/^:tail/d' | sse-bridge >all
	printf 'event: end\ndata: stopped\n\n' >>all
	sed 1,2d view.1 >got
	cmp all got
	has got ':gap tab=1 batch=4 cause=lost'
}

@test "live: the largest recordings reach two viewers whole" {
	local name
	serve
	for name in gen-big-snapshot-docs gen-mutation-flood-cells; do
		open_session
		view 1 2
		view 2 2
		wait_until 5 has view.1 ':tail'
		wait_until 5 has view.2 ':tail'
		rr-frame -i "$DATA/$name.ndjson" |
			s2-append -t active "$uri" >append.acks
		wait_until 20 has_events view.1 "$DATA/$name.ndjson"
		wait_until 20 has_events view.2 "$DATA/$name.ndjson"
		events view.1 | cmp - "$DATA/$name.ndjson"
		events view.2 | cmp - "$DATA/$name.ndjson"
		stop_viewers
	done
}

stop_viewers() {
	local viewers
	viewers=$(pgrep -f "^curl .*$id/live") || return 0
	# shellcheck disable=SC2086 # words
	kill $viewers
}

# resume NAME: comes back to the session once, for a random time below a
# second, and adds what is complete to view.NAME.
resume() {
	local last
	last=$(sed -n 's/^id: //p' "view.$1" | tail -1)
	timeout "0.$((RANDOM % 9 + 1))" curl -sN ${last:+-H} \
	    ${last:+"Last-Event-ID: $last"} "$at/$id/live?from=2" |
	    whole >>"view.$1" || :
}

# without TAIL: the messages of a recording, without those of the connection.
recording() {
	awk 'BEGIN { RS = ""; ORS = "\n\n" }
	    !/^retry:/ && !/^event: tail/ && !/^:$/' "$1"
}

# first_record FILE: how many bytes the first of the records in it takes.
first_record() {
	local bytes i size=0
	read -ra bytes < <(od -An -tu1 -j1 -N5 "$1")
	for ((i = 0; i < 5; i++)); do
		((size |= (bytes[i] & 127) << 7 * i, 1))
		((bytes[i] > 127)) || break
	done
	echo $((1 + i + 1 + size))
}

@test "live: nothing is missed where a batch in parts is still under way" {
	local size
	open_session
	serve
	# Tab 1's batch in two records, and tab 2's between them.
	awk 'BEGIN { printf ":batch tab=1 batch=1\n{\"type\":4,\"data\":\""
	    for (i = 0; i < 150000; i++) printf "0123456789"
	    print "\"}\n:end" }' | rr-frame -z none >large
	size=$(first_record large)
	view 1 2
	wait_until 5 has view.1 ':tail'
	head -c "$size" large | s2-append -t active "$uri" >append.acks
	printf '%s\n' ':batch tab=2 batch=1' '{"n":2}' :end | append
	told() { grep -A 2 '^data: :batch tab=2' view.1 | grep -q '^id: '; }
	wait_until 5 told
	grep -A 2 '^data: :batch tab=2' view.1 >got
	grep -q 'seq=3 seqs=1 next=2 ' got
	# Whoever comes back now starts before the large one, here and anew.
	[ "$(tail -1 got)" = 'id: 2' ]
	view 2 0 -H 'Last-Event-ID: 2'
	tail -c "+$((size + 1))" large | s2-append -t active "$uri" >append.acks
	local i
	for i in 1 2; do
		wait_until 20 has "view.$i" 'id: 5'
	done
	stop_viewers
	stop "$bridge"
	serve
	view 3 0 -H 'Last-Event-ID: 2'
	wait_until 20 has view.3 'id: 5'
	for i in 1 2 3; do
		has "view.$i" '{"type":4,"data":"0123'
		[ "$(events "view.$i" | wc -l)" -eq 2 ]
	done
}

@test "live: cut at random and resumed, nothing is repeated and nothing lost" {
	local file=$DATA/real-rrweb-player-demo.ndjson seed=$SRANDOM
	RANDOM=$seed
	echo "seed $seed"
	open_session
	serve
	: >view.1
	# Somebody else watches all the time, or nobody does.
	((seed % 2)) || view 2 2
	feed "$file" 0.05
	until has_events view.1 "$file"; do
		resume 1
		((SECONDS < 120)) || fail 'it does not come to an end'
	done
	ended "$feeder"
	events view.1 | cmp - "$file"
	recording view.1 >got
	s2-tail -s 2 "$uri" | rr-reassemble -d | sse-bridge >all
	recording all | cmp - got
}

# watching OPTION... FILE: so many viewers, each of which compares all that it
# gets with the file, from record 2 on; sets watchers, when they have caught up.
watching() {
	local host=${at#http://}
	start watch "$@" "${host%%/*}" "/api/sessions/$id/live?from=2"
	watchers=$pid
	wait_until 60 ready_or_gone
	cat "$watchers.err" >&2
	has "$watchers.out" ready
}

ready_or_gone() {
	has "$watchers.out" ready || gone "$watchers"
}

# they_have VIEWERS [CUT]: all of it, each of them; nobody came back, and nobody
# was cut off but so many who did not read.
they_have() {
	they_get_all
	diff <(tail -1 "$watchers.out") - <<-EOF
	viewers=$1 comebacks=0 cut=${2:-0} of ${2:-0}
	EOF
}

they_get_all() {
	ended "$watchers" 120 || {
		cat "$watchers.err" >&2
		return 1
	}
}

# reads: what was asked of the session's records, a line each.
reads() {
	grep -c "^GET .*$id.*/records" "$proxy.out" || :
}

@test "live: a thousand viewers cost one read, and who joins two" {
	local file=$DATA/real-stats-test-page.ndjson port
	open_session
	port=$(free_port)
	start node "$ROOT/tests/count-proxy.mjs" "$port" "$S2_BASIN_ENDPOINT"
	proxy=$pid
	wait_until 10 has "$proxy.out" ready
	S2_BASIN_ENDPOINT=http://127.0.0.1:$port serve
	watching -n 1000 "$file"
	[ "$(reads)" -eq 1 ]
	feed "$file" 0.02
	they_have 1000
	ended "$feeder"
	[ "$(reads)" -eq 1 ]
	# Where the last snapshot is, and all from there on.
	curl -sS "$at/$id/lines?from=snapshot" >lines
	[ "$(reads)" -eq 3 ] || fail "$(<"$proxy.out")"
}

@test "live: ten viewers that stop reading are cut and resume, ninety get it all" {
	local file=$DATA/gen-session-shop.ndjson
	open_session
	serve -r 64 -M unix:metrics
	watching -n 100 -z 10 "$file"
	feed "$file" 0.01
	they_have 100 10
	ended "$feeder"
	curl -sS --unix-socket metrics http://x/metrics >figures
	awk '/^rrpipe_view_behind_total/ { n += $2 } END { exit n != 10 }' figures
	tails 1
}

@test "live: S2 dies twice under 50 viewers, and then the bridge, and all resume" {
	local file=$DATA/real-rrweb-player-demo.ndjson i host
	start_s2 "$PWD/s2"
	new_basin
	open_session
	serve
	view 1 2
	watching -n 50 "$file"
	feed "$file" 0.05
	for i in 2 26; do
		wait_until 20 has view.1 " batch=$i "
		stop "$s2_pid" KILL || :
		start_s2 "$PWD/s2"
	done
	wait_until 20 has view.1 " batch=40 "
	# Nobody noticed; but this they do, and tell the new one where they were.
	host=${at#http://}
	stop "$bridge" KILL || :
	run -1 has view.1 'event: gap'
	serve -l "${host%%/*}"
	they_get_all
	# More often, where the old one's socket was there for a moment more.
	i=$(sed -n 's/^viewers=50 comebacks=\([0-9]*\) cut=0 of 0$/\1/p' "$watchers.out")
	((i >= 50))
	ended "$feeder" 60
	tails 1
	stop "$bridge"
}

@test "live: its pipeline is killed again and again, and nobody notices" {
	local file=$DATA/real-rrweb-player-demo.ndjson i
	open_session
	serve
	view 1 2
	view 2 2
	wait_until 5 has view.1 ':tail'
	feed "$file" 0.1
	for i in s2-tail rr-reassemble routes/live s2-tail; do
		wait_until 20 pipeline_runs
		pkill -KILL -f "$i .*$id" || pkill -KILL -P \
		    "$(pgrep -of "routes/live $id")" rr-reassemble
		wait_until 5 broken
	done
	ended "$feeder"
	wait_until 20 has_events view.1 "$file"
	wait_until 20 has_events view.2 "$file"
	recording view.1 >got
	s2-tail -s 2 "$uri" | rr-reassemble -d | sse-bridge >all
	recording all | cmp - got
	recording view.2 | cmp - got
}

# pipeline_runs: each stage of the pipeline is what it is to become.
pipeline_runs() {
	pgrep -f "^s2-tail .*$id" &&
	    pgrep -P "$(pgrep -of "routes/live $id")" rr-reassemble
}

# broken: the log has one more line of a pipeline that broke.
broken() {
	local n
	n=$(grep -c 'is started again' "$log")
	((n > breaks)) || return 1
	breaks=$n
}
breaks=0

@test "live: who is too far back gets the rest by two reads, and goes on" {
	local file=$DATA/gen-session-shop.ndjson
	open_session
	serve -r 16
	view 1 2
	wait_until 5 has view.1 ':tail'
	local n
	n=$(wc -l <"$file")
	head -n $((n - 20)) "$file" >most
	tail -n 20 "$file" >rest
	# The one who reads all the time need not: it may be cut as well.
	paced most 0 | append
	view 2 2
	ended "$viewer"
	whole <view.2 >got
	[ "$(cat got)" = $'event: resync\ndata: resync' ]
	curl -sS "$at/$id/lines?from=2" >lines
	[[ $(tail -1 lines) =~ ^:tail\ seq=([0-9]+)\ time=[0-9]+$ ]]
	grep '^[{"]' lines | cmp - most
	tails 1
	view 3 "${BASH_REMATCH[1]}"
	wait_until 5 has view.3 ':tail'
	paced rest 0 $(((n - 20 + 4) / 5 + 1)) | append
	wait_until 5 has_events view.3 rest
	events view.3 | cmp - rest
	tails 1
}

@test "live: a stop and a deletion end it, and who asks later is told" {
	open_session
	serve
	view 1 2
	wait_until 5 has view.1 ':tail'
	run -0 curl -sS -X POST -H 'X-RR: 1' "$at/$id/stop"
	[ "$output" = "{\"stopped\":\"$id\"}" ]
	ended "$viewer"
	[ "$(tail -3 view.1)" = $'event: end\ndata: stopped' ]
	has view.1 'data: :fence set=stopped '
	[ "$(curl -sS "$at/$id" | jq -r .state)" = stopped ]
	# Once more is no error.
	curl -sS --fail -X POST -H 'X-RR: 1' "$at/$id/stop"
	tails 0

	open_session
	view 2 2
	wait_until 5 has view.2 ':tail'
	run -0 curl -sS -X DELETE -H 'X-RR: 1' "$at/$id"
	[ "$(jq -r .deleted <<<"$output")" = "$id" ]
	ended "$viewer"
	[ "$(tail -3 view.2)" = $'event: end\ndata: deleted' ]
	local path
	for path in "" /lines '/live?from=0'; do
		curl -s -o answer -w '%{http_code}' "$at/$id$path" >code
		[ "$(<code)" = 404 ]
		[ "$(<answer)" = '{"error":"no such session"}' ]
	done
	tails 0
}

@test "routes: the list, a session and its lines are what the programs print" {
	open_session
	local first=$id name
	open_session
	paced "$DATA/real-hogflix-four-pages.ndjson" 0 | append
	serve
	curl -sS "$at?limit=1" >got
	jq -e --arg id "$id" '.more and (.sessions | length == 1 and .[0].id == $id)' got
	curl -sS "$at?limit=1&after=$(jq -r .next got)" |
		jq -e --arg id "$first" '(.more | not) and .sessions[0].id == $id'
	# They name streams by themselves.
	for name in "$first" "$id"; do
		bash -c '. "${0%/*}/common.sh"; stream_of "$1"; echo "$uri"' \
		    "$ROOT/scripts/routes/lines" "$name" |
			cmp - <(s2-stream name "$name")
	done
	rr-ls -j "$id" >expected
	curl -sS "$at/$id" | jq -S 'del(.duration)' |
		cmp - <(jq -S 'del(.duration)' expected)
	local from
	for from in start snapshot 0 3; do
		s2-tail -s "$from" "$uri" | rr-reassemble -dq >expected
		curl -sS "$at/$id/lines?from=$from" | cmp - expected
	done
	local ms
	ms=$(jq -n 'first(inputs.timestamp)' "$DATA/real-hogflix-four-pages.ndjson")
	ms=$((ms + 9000))
	s2-tail -s "at=$ms" -n 2 "$uri" | rr-reassemble -dq >expected
	curl -sS "$at/$id/lines?at=$ms&count=2" | cmp - expected
	curl -sS "$at/$id/lines?at=$ms&tab=1&count=2" | cmp - expected
	head -1 expected | grep -q ' flags=full'
	s2-tail -n 5 "$uri" | rr-reassemble -dq >expected
	curl -sS "$at/$id/lines?count=5" | cmp - expected
	[[ $(tail -1 expected) == ':next seq=5' ]]
}

@test "routes: S2 away is 503, and comes back" {
	start_s2 "$PWD/s2"
	new_basin
	open_session
	serve
	stop "$s2_pid" KILL || :
	code() { curl -s -o answer -w '%{http_code}' "$at$1"; }
	[ "$(code "/$id")" = 503 ]
	[ "$(code '')" = 503 ]
	[[ $(<answer) == '{"error":"S2 is away'* ]]
	# A viewer is not sent away: it gets what comes then.
	view 1 2
	start_s2 "$PWD/s2"
	[ "$(code "/$id")" = 200 ]
	printf '%s\n' ':batch tab=1 batch=1' '{"type":4}' ':end token=1' |
		append
	wait_until 20 has view.1 '{"type":4}'
	stop "$bridge"
}

@test "the examples of its page" {
	open_session
	printf '%s\n' ':batch tab=1 batch=1' '{"type":4}' :end | append
	page_examples "$ROOT/bin/sse-bridge/sse-bridge.1" >lines
	[[ $(wc -l <lines) -eq 5 ]]
	sed -n "1s|s2://BASIN/STREAM|$uri|p" lines | bash >got
	has got 'data: {"type":4}'
	mkdir web
	echo hello >web/index.html
	ln -s "$ROOT/scripts/routes" routes
	sed -n "3s|/run/rrpipe/||p" lines >script
	start bash script
	wait_until 5 test -S view.sock
	[ "$(stat -c %a view.sock)" = 660 ]
	[ "$(curl -sS --unix-socket view.sock http://x/)" = hello ]
	mkdir -p build scripts
	cp -R web build/web
	ln -s "$ROOT/scripts/routes" scripts/routes
	local port
	port=$(free_port)
	sed -n "2s/8788/$port/p" lines >script
	start bash script
	wait_until 5 curl -sS -o /dev/null "http://127.0.0.1:$port/"
	sed -n "5s/8788/$port/; 5s/ID/$id/p" lines >script
	start bash script
	wait_until 5 has "$pid.out" 'data: {"type":4}'
	local token
	token=$(rr token users ann)
	port=$(free_port)
	sed -n "4s/8788/$port/p" lines >script
	start bash script
	wait_until 5 curl -sS -o /dev/null "http://127.0.0.1:$port/"
	curl -sf -o answer -H 'Host: replay.shop.example' \
	    -H "Authorization: Bearer $token" "http://127.0.0.1:$port/api/me"
	[ "$(<answer)" = '{"login":true,"name":"ann","role":"view"}' ]
}

@test "a bridge that is killed leaves nothing behind" {
	open_session
	serve
	view 1 2
	wait_until 5 has view.1 ':tail'
	tails 1
	stop "$bridge" KILL || :
	wait_until 5 tails 0
}
