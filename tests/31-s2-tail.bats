# s2-tail: reading a stream of S2 back, in whole, in part, and as it grows,
# while S2 and the way to it come and go.

load helper

# The pipe's messages, for protoc.
write_proto() {
	cat >pipe.proto <<-'EOF'
	syntax = "proto3";
	message Header { bytes name = 1; bytes value = 2; }
	message Record {
	  uint64 seq = 1; uint64 time = 2; repeated Header headers = 3;
	  bytes body = 4;
	}
	message Position { uint64 seq = 1; uint64 time = 2; }
	message Batch { repeated Record record = 1; Position tail = 2; }
	EOF
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	write_proto
}

# new_stream: makes a stream, and sets uri.
new_stream() {
	[[ -n ${RR_BASIN-} ]] || new_basin
	uri=s2://$RR_BASIN/s/$SRANDOM
	s2-stream create "$uri" timestamping=client-prefer >/dev/null
}

# api URI REST CURL'S OPTIONS...: asks S2 about a stream.
api() {
	local stream=${1#s2://*/} rest=$2
	shift 2
	curl -sS --http2-prior-knowledge -H "S2-Basin: $RR_BASIN" "$@" \
	    "$S2_BASIN_ENDPOINT/v1/streams/${stream//\//%2F}/records$rest"
}

# append URI JSON...: appends records, each in an append of its own.
append() {
	local uri=$1 record
	shift
	for record; do
		api "$uri" '' --fail -o /dev/null \
		    -H 'Content-Type: application/json' \
		    -d "{\"records\":[$record]}"
	done
}

# append_binary URI: appends the AppendInput on stdin.
append_binary() {
	api "$1" '' --fail -o /dev/null --data-binary @- \
	    -H 'Content-Type: application/protobuf'
}

# text FILE: the records of a pipe as text; the tail is left out.
text() {
	protoc --decode=Batch pipe.proto <"$1" | sed '/^tail {/,$d'
}

# seqs: the sequence numbers on a pipe, and the tail.
seqs() {
	protoc --decode=Batch pipe.proto | awk '
		/^(record|tail) \{/ { what = $1 == "tail" ? "tail " : ""; n = 0 }
		/^  seq:/ { n = $2 }
		/^}/ { printf "%s%s ", what, n }
		END { print "" }'
}

tail_seqs() {
	s2-tail "$@" | seqs
}

trimmed_to() {
	[[ $(tail_seqs -n 1 "$uri") == "$1 " ]]
}

records_in() {
	[[ $(protoc --decode=Batch pipe.proto <"$1" 2>/dev/null |
	    grep -c '^record {') -ge $2 ]]
}

@test "records go through byte for byte, and then the tail" {
	new_stream
	append "$uri" '{"body":"one","timestamp":1000}' \
	    '{"timestamp":2000}' \
	    '{"headers":[["a","b"],["a",""]],"timestamp":3000}' \
	    '{"headers":[["","fence"]],"body":"t","timestamp":4000}'
	head -c 100000 /dev/urandom >random
	{
		# A record of one field, its body.
		printf '\x0a\xa4\x8d\x06\x1a\xa0\x8d\x06'
		cat random
	} | append_binary "$uri"
	api "$uri" '?seq_num=0' -H 'Accept: application/protobuf' >want
	api "$uri" /tail >tail.json
	printf 'tail { seq: 5 time: %s }' "$(jq .tail.timestamp tail.json)" |
	    protoc --encode=Batch pipe.proto >>want
	s2-tail "$uri" >got
	cmp got want
	# More than fits an answer to one unary read.
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		{
			printf '\x0a\xa4\x8d\x06\x1a\xa0\x8d\x06'
			cat random
		} | append_binary "$uri"
	done
	s2-tail "$uri" >got
	[[ $(seqs <got) == '0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 tail 17 ' ]]
}

@test "an empty stream is a tail of zero" {
	new_stream
	s2-tail "$uri" >got
	printf '\x12\x00' | cmp - got
	s2-tail -s -5 "$uri" | cmp - got
	s2-tail -s snapshot "$uri" | cmp - got
	s2-tail -s @1000 "$uri" | cmp - got
	[[ $(s2-tail -n 1 "$uri" | seqs) == 'tail 0 ' ]]
}

@test "where to start and to end" {
	new_stream
	append "$uri" '{"body":"0","timestamp":1767225600000}' \
	    '{"body":"1","timestamp":1767225601000}' \
	    '{"body":"2","timestamp":1767225601000}' \
	    '{"body":"3","timestamp":1767225602500}' \
	    '{"body":"4","timestamp":1767225603000}'
	[[ $(tail_seqs "$uri") == '0 1 2 3 4 tail 5 ' ]]
	[[ $(tail_seqs -s start "$uri") == '0 1 2 3 4 tail 5 ' ]]
	[[ $(tail_seqs -s 3 "$uri") == '3 4 tail 5 ' ]]
	[[ $(tail_seqs -s 5 "$uri") == 'tail 5 ' ]]
	[[ $(tail_seqs -s -2 "$uri") == '3 4 tail 5 ' ]]
	[[ $(tail_seqs -s -0 "$uri") == 'tail 5 ' ]]
	[[ $(tail_seqs -s -99 "$uri") == '0 1 2 3 4 tail 5 ' ]]
	[[ $(tail_seqs -s @1767225601000 "$uri") == '1 2 3 4 tail 5 ' ]]
	[[ $(tail_seqs -s @1767225601001 "$uri") == '3 4 tail 5 ' ]]
	[[ $(tail_seqs -s @9999999999999 "$uri") == 'tail 5 ' ]]
	[[ $(tail_seqs -s 2026-01-01T00:00:01Z "$uri") == '1 2 3 4 tail 5 ' ]]
	[[ $(tail_seqs -s 2026-01-01T01:00:02.5+01:00 "$uri") == \
	    '3 4 tail 5 ' ]]
	[[ $(tail_seqs -s '2025-12-31 23:00:02.501-01:00' "$uri") == \
	    '4 tail 5 ' ]]
	[[ $(tail_seqs -n 2 "$uri") == '0 1 ' ]]
	[[ $(tail_seqs -n 2 -s 2 "$uri") == '2 3 ' ]]
	[[ $(tail_seqs -n 9 -s -2 "$uri") == '3 4 tail 5 ' ]]
	[[ $(tail_seqs -e 3 "$uri") == '0 1 2 ' ]]
	[[ $(tail_seqs -e 3 -s -4 "$uri") == '1 2 ' ]]
	[[ $(tail_seqs -e 3 -s 3 "$uri") == '' ]]
	[[ $(tail_seqs -e 9 -s 4 "$uri") == '4 tail 5 ' ]]
	[[ $(tail_seqs -e @1767225602500 "$uri") == '0 1 2 ' ]]
	[[ $(tail_seqs -e 2026-01-01T00:00:03Z -s 1 "$uri") == '1 2 3 ' ]]
	# What was trimmed is not there; the end still counts by number.
	s2-stream trim "$uri" 2 >/dev/null
	wait_until 10 trimmed_to 2
	[[ $(tail_seqs -e 4 "$uri") == '2 3 ' ]]
}

@test "what cannot be read: exit statuses" {
	new_stream
	append "$uri" '{"body":"0"}'
	run -66 s2-tail "$uri/not"
	run -66 s2-tail s2://not-there-1/x
	[[ $output == *': there is no such basin' ]]
	run -66 s2-tail -s snapshot "$uri/not"
	run -66 s2-tail -f "$uri/not"
	run -65 s2-tail -s 2 "$uri"
	[[ $output == *'record 2: the tail of the stream is 1' ]]
	run -64 s2-tail
	run -64 s2-tail "$uri" "$uri"
	run -64 s2-tail "s2://$RR_BASIN"
	run -64 s2-tail -s yesterday "$uri"
	run -64 s2-tail -s 2026-13-01T00:00:00Z "$uri"
	run -64 s2-tail -e -3 "$uri"
	run -64 s2-tail -e 0 "$uri"
	run -64 s2-tail -n 0 "$uri"
	run -64 s2-tail -n 1x "$uri"
	run -64 s2-tail -y "$uri"
	run -64 script -qec "s2-tail $uri" /dev/null
	[[ $output == *'not for a terminal'* ]]
	run -78 env S2_BASIN_ENDPOINT= s2-tail "$uri"
	run -0 s2-tail --version
	run -0 s2-tail --help
	run -1 bash -c 's2-tail "$1" >/dev/full' - "$uri"
	[[ $output == *'cannot write to standard output: No space'* ]]
}

@test "S2 away: gives up in time with 75, and says why" {
	new_stream
	use_s2 "$(free_port)"
	local begun=$SECONDS
	# Between two tries are at most 5 s, so one comes after the first second.
	run -75 s2-tail -t 7 "$uri"
	[[ $output == *'S2 is away: '*$'\n'*'gave up after 7 s'* ]]
	run -75 s2-tail -t 1 -s snapshot "$uri"
	[[ $output == *'gave up after 1 s'* ]]
	run -75 s2-tail -f -t 1 "$uri"
	((SECONDS - begun < 20))
	run timeout 7 s2-tail -f "$uri"
	[[ $status == 124 && $output == *'S2 is away: '*'trying again' ]]
	((${#lines[@]} == 1))
}

@test "-f brings what comes, and ends with its reader" {
	new_stream
	append "$uri" '{"body":"0","timestamp":1}' '{"body":"1","timestamp":2}'
	mkfifo pipe
	start sh -c 'exec s2-tail -f "$1" >pipe' - "$uri"
	local tail=$pid
	exec 5<pipe
	# Records and the tail; then records alone.
	s2-tail "$uri" >want
	head -c "$(stat -c %s want)" <&5 | cmp - want
	append "$uri" '{"body":"2","timestamp":3}'
	s2-tail -n 1 -s 2 "$uri" >want
	head -c "$(stat -c %s want)" <&5 | cmp - want
	exec 5<&-
	local status=0
	ended "$tail" 5 || status=$?
	((status == 1))
	[[ ! -s $BATS_TEST_TMPDIR/$tail.err ]]
}

@test "-f with a count, an end, a time" {
	new_stream
	append "$uri" '{"body":"0","timestamp":1767225600000}'
	local i pids=()
	start s2-tail -f -n 2 "$uri"; pids+=("$pid")
	start s2-tail -f -e 2 "$uri"; pids+=("$pid")
	start s2-tail -f -e @1767225602000 "$uri"; pids+=("$pid")
	for i in "${pids[@]}"; do
		wait_until 10 records_in "$i.out" 1
	done
	append "$uri" '{"body":"1","timestamp":1767225601000}' \
	    '{"body":"2","timestamp":1767225602000}'
	for i in "${pids[@]}"; do
		ended "$i" 10
		[[ $(seqs <"$i.out") == '0 1 tail '* ]]
	done
}

@test "-x ends with the stop, there or yet to come" {
	new_stream
	{
		printf '%s\n' ':fence set=active' ':meta {}' :end
		printf '%s\n' '{"type":3}'
	} | rr-frame | s2-append "$uri"
	[[ $(tail_seqs -x "$uri") == '0 1 2 tail 3 ' ]]
	start s2-tail -fx "$uri"
	wait_until 10 records_in "$pid.out" 3
	printf '%s\n' ':fence set=stopped use=active' ':stop {}' :end |
	    rr-frame | s2-append "$uri" >/dev/null
	ended "$pid" 10
	[[ $(seqs <"$pid.out") == '0 1 2 3 4 tail 5 ' ]]
	append "$uri" '{"body":"too late, but without a token"}'
	[[ $(tail_seqs -x "$uri") == '0 1 2 3 4 ' ]]
	[[ $(tail_seqs -fx "$uri") == '0 1 2 3 4 ' ]]
	[[ $(tail_seqs "$uri") == '0 1 2 3 4 5 tail 6 ' ]]
	# A fence alone does too.
	new_stream
	s2-stream fence "$uri" active >/dev/null
	start s2-tail -fx "$uri"
	wait_until 10 records_in "$pid.out" 1
	s2-stream fence "$uri" stopped >/dev/null
	ended "$pid" 10
}

@test "a stream deleted while it is followed is its end" {
	new_stream
	append "$uri" '{"body":"0"}'
	start s2-tail -f "$uri"
	wait_until 10 records_in "$pid.out" 1
	s2-stream delete "$uri"
	ended "$pid" 15
	[[ ! -s $pid.err ]]
}

# write_records URI FROM TO: appends numbered records, each exactly once,
# however S2 comes and goes.
write_records() {
	local i=$2 answer pad
	printf -v pad '%2000s'
	while ((i < $3)); do
		answer=$(api "$1" '' -m 5 -H 'Content-Type: application/json' \
		    -d "{\"match_seq_num\":$i,\"records\":[{\"body\":
		    \"record $i ${pad:SRANDOM % 2000}\"}]}" 2>/dev/null) || :
		case $answer in
		*'"start"'*) ((++i)) ;;
		*seq_num_mismatch*)
			answer=${answer##*:}
			i=${answer%\}}
			;;
		*) sleep 0.05 ;;
		esac
	done
}

# same_records PID: true if it has followed all that is in the stream.
same_records() {
	s2-tail "$uri" >want && text want >want.txt &&
	    text "$1.out" >got.txt 2>/dev/null && cmp -s got.txt want.txt
}

@test "s2-lite is killed and comes back, 8 times: nothing twice, nothing lost" {
	start_s2 "$PWD/s2"
	unset RR_BASIN
	new_stream
	start s2-tail -f "$uri"
	local tail=$pid writer
	write_records "$uri" 0 150 3>&- &
	writer=$!
	for _ in 1 2 3 4 5 6 7 8; do
		sleep "0.$((SRANDOM % 5 + 1))"
		kill -s KILL -- "-$s2_pid"
		start_s2 "$PWD/s2"
	done
	wait "$writer"
	wait_until 20 same_records "$tail"
	[[ $(grep -c '^record' got.txt) == 150 ]]
	# One line when it is away, one when it is back.
	run ! grep -Ev '^s2-tail: S2 is (away: .*trying again|back)$' \
	    "$tail.err"
}

@test "connections are cut, 20 times: nothing twice, nothing lost" {
	new_stream
	local direct=$S2_BASIN_ENDPOINT port proxy tail writer child
	port=$(free_port)
	start socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" \
	    "TCP:${direct#http://}"
	proxy=$pid
	wait_until 10 s2_healthy "$port"
	use_s2 "$port"
	start s2-tail -f "$uri"
	tail=$pid
	use_s2 "${direct##*:}"
	write_records "$uri" 0 150 3>&- &
	writer=$!
	for _ in {1..20}; do
		sleep 0.1
		for child in $(pgrep -P "$proxy"); do
			kill -s KILL "$child" || :
		done
	done
	wait "$writer"
	wait_until 20 same_records "$tail"
	[[ $(grep -c '^record' got.txt) == 150 ]]
	# A cut that the next try mends is not worth a line.
	[[ ! -s $tail.err ]]
}

@test "a server that says nothing is noticed" {
	start_s2 "$PWD/s2"
	unset RR_BASIN
	new_stream
	append "$uri" '{"body":"0"}'
	start s2-tail -fv "$uri"
	local tail=$pid server
	wait_until 10 records_in "$tail.out" 1
	server=$(pgrep -g "$s2_pid" -x server)
	kill -s STOP "$server"
	wait_until 25 grep -q 'S2 is silent; trying again' "$tail.err"
	kill -s CONT "$server"
	append "$uri" '{"body":"1"}'
	wait_until 30 same_records "$tail"
	# Without -f, its patience counts.
	kill -s STOP "$server"
	run -75 s2-tail -t 2 "$uri"
	[[ $output == *'S2 is silent; gave up after 2 s'* ]]
	kill -s CONT "$server"
}

@test "a reader that waits bounds the memory, and gets all in the end" {
	new_stream
	head -c 1000000 /dev/urandom >random
	for _ in {1..64}; do
		{
			printf '\x0a\xc4\x84\x3d\x1a\xc0\x84\x3d'
			cat random
		} | append_binary "$uri"
	done
	mkfifo pipe
	start sh -c 'exec s2-tail "$1" >pipe' - "$uri"
	local tail=$pid limit=20000 peak
	[[ $BUILD != *sanitize ]] || limit=200000
	exec 5<pipe
	head -c 1000 <&5 >first
	# The rest waits: in the kernel, and in S2.
	sleep 2
	peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$tail/status")
	((peak < limit)) || fail "it took $peak kB"
	cat first - <&5 >got
	ended "$tail"
	s2-tail "$uri" | cmp - got
}

# snapshot LINE...: appends lines, and prints where the last snapshot is.
snapshot() {
	printf '%s\n' "$@" | rr-frame -m | s2-append "$uri" >/dev/null
	s2-tail -s snapshot -n 1 "$uri" | seqs
}

full=('{"type":4,"data":{}}' '{"type":2,"data":{}}')

@test "the last snapshot, by its pointer" {
	new_stream
	[[ $(snapshot ':fence set=active' ':meta {}' :end) == '0 ' ]]
	[[ $(snapshot ':batch tab=1 batch=1' "${full[@]}" :end) == '2 ' ]]
	[[ $(snapshot ':batch tab=1 batch=2 snap=2' '{"type":3}' :end) == \
	    '2 ' ]]
	[[ $(snapshot ':batch tab=1 batch=3 snap=2' "${full[@]}" :end \
	    ':batch tab=1 batch=4 snap=4' '{"type":3}' :end \
	    ':beat tab=1' :end) == '4 ' ]]
	# Several tabs: the earliest of theirs.
	[[ $(snapshot ':batch tab=2 batch=1' "${full[@]}" :end) == '4 ' ]]
	[[ $(snapshot ':batch tab=1 batch=5 snap=4' "${full[@]}" :end) == \
	    '7 ' ]]
	# From there on it is all of the stream.
	[[ $(tail_seqs -s snapshot "$uri") == '7 8 tail 9 ' ]]
	# A gap points as well; beats, if they say where.
	[[ $(snapshot ':gap tab=2 batch=2 cause=overflow snap=7' :end) == \
	    '7 ' ]]
	local i
	for i in {1..70}; do echo ':beat tab=2 snap=7'; done >beats
	[[ $(snapshot "$(cat beats)" :end) == '7 ' ]]
}

@test "the last snapshot, where pointers are missing or wrong" {
	new_stream
	snapshot ':batch tab=1 batch=1' '{"type":3}' :end \
	    ':batch tab=1 batch=2' "${full[@]}" :end \
	    ':batch tab=1 batch=3' '{"type":3}' :end >got
	[[ $(cat got) == '1 ' ]]
	# At a record without one, at another tab's, at none, far away.
	[[ $(snapshot ':batch tab=1 batch=4 snap=0' '{"type":3}' :end) == \
	    '1 ' ]]
	[[ $(snapshot ':batch tab=2 batch=1 snap=1' '{"type":3}' :end) == \
	    '0 ' ]]
	[[ $(snapshot ':batch tab=2 batch=2 snap=4000' "${full[@]}" :end) == \
	    '1 ' ]]
	[[ $(tail_seqs -s snapshot "$uri") == '1 2 3 4 5 tail 6 ' ]]
	local i
	{
		for i in {1..100}; do
			printf '%s\n' ":batch tab=2 batch=$((i + 2)) snap=3" \
			    '{"type":3}' :end
		done
	} >lines
	# Tab 1 is gone from the last 64 records, and so does not count.
	[[ $(snapshot "$(cat lines)") == '5 ' ]]
	# Nor is there one to be found.
	new_stream
	[[ $(snapshot "$(sed 's/ snap=3//' lines)") == '0 ' ]]
	# Nor anything of ours.
	new_stream
	append "$uri" '{"body":"0"}' '{"body":"1","headers":[["kind","x"]]}'
	[[ $(snapshot ':beat tab=1' :end) == '0 ' ]]
}

@test "the last snapshot, in parts, whole and torn" {
	new_stream
	local big
	printf -v big '%2500000s'
	printf '%s\n' ':batch tab=1 batch=1' "${full[@]}" :end \
	    ':batch tab=1 batch=2' '{"type":4}' \
	    "{\"type\":2,\"data\":\"$big\"}" :end |
	    rr-frame -m -z none >records
	s2-append "$uri" <records >/dev/null
	[[ $(tail_seqs "$uri") == '0 1 2 3 tail 4 ' ]]
	[[ $(snapshot ':batch tab=1 batch=3 snap=1' '{"type":3}' :end) == \
	    '1 ' ]]
	[[ $(tail_seqs -s snapshot "$uri") == '1 2 3 4 tail 5 ' ]]
	# The last part never came: the one before counts.
	new_stream
	s2-append "$uri" <records >/dev/null
	s2-stream delete "$uri"
	uri=$uri.torn
	s2-stream create "$uri" >/dev/null
	head -c 2200000 records >torn
	run -65 s2-append "$uri" <torn
	[[ $(tail_seqs "$uri") == '0 1 2 tail 3 ' ]]
	[[ $(tail_seqs -s snapshot "$uri") == '0 1 2 tail 3 ' ]]
}

@test "a pointer is followed in two small reads" {
	new_stream
	local i port direct=${S2_BASIN_ENDPOINT##*:}
	{
		printf '%s\n' ':batch tab=1 batch=1' '{"type":3}' :end \
		    ':batch tab=1 batch=2' "${full[@]}" :end
		for i in {3..2500}; do
			printf '%s\n' ":batch tab=1 batch=$i snap=1" \
			    '{"type":3}' :end
		done
	} | rr-frame -m | s2-append "$uri" >/dev/null
	port=$(free_port)
	start node "$ROOT/tests/count-proxy.mjs" "$port" "$S2_BASIN_ENDPOINT"
	wait_until 10 grep -q ready "$pid.out"
	use_s2 "$port"
	s2-tail -s snapshot -n 1 "$uri" | seqs >got
	use_s2 "$direct"
	[[ $(cat got) == '1 ' ]]
	[[ $(grep -c '/records?' "$pid.out") -eq 2 ]]
	# (The leak sanitizer does not work under strace.)
	ASAN_OPTIONS+=:detect_leaks=0 strace -f -e trace=recvfrom -o trace \
	    s2-tail -s snapshot -n 1 "$uri" | seqs >got
	[[ $(cat got) == '1 ' ]]
	(($(awk '/recvfrom/ { n += $NF } END { print n }' trace) < 20000))
}

# recording MS [TAB]: appends 180 batches, one each 10 s from T on, which S2
# gets so many ms behind their last event; each 20th is a snapshot. The first is
# record 2.
T=1767225600000
recording() {
	awk -v t="$T" -v tab="${2:-1}" 'BEGIN {
		print ":fence set=active\n:meta {}\n:end"
		for (i = 0; i < 180; i++) {
			printf ":batch tab=%s batch=%d%s\n", tab, i + 1,
			    i ? " snap=" int((i - 1) / 20) * 20 + 2 : ""
			for (j = 0; j < 2; j++)
				printf "{\"type\":%d,\"timestamp\":%.0f}\n",
				    i % 20 ? 3 : j ? 2 : 4,
				    t + i * 10000 + j * 5000
			print ":end"
		}
	}' | rr-frame -m | node "$ROOT/tests/stamp.mjs" "$1" |
	    s2-append "$uri" >/dev/null
}

# at PLACE: which records it reads up to the one that is there: FIRST LAST.
at() {
	s2-tail -s "at=$1" -n 1 "$uri" | seqs |
	    awk '{ print $1, $(NF > 2 && $(NF - 1) == "tail" ? NF - 2 : NF) }'
}

# All places in such a recording.
check_recording() {
	local i
	# In a batch, behind one, in a snapshot.
	for i in 0 1 19 20 21 77 120 178; do
		[[ $(at $((T + i * 10000 + 3000))) == \
		    "$((i / 20 * 20 + 2)) $((i + 2))" ]]
		[[ $(at $((T + i * 10000 + 7000))) == \
		    "$((i / 20 * 20 + 2)) $((i + 3))" ]]
	done
	# Before it, and behind it.
	[[ $(at $((T - 1000))) == '2 2' ]]
	[[ $(at -5) == '2 2' ]]
	[[ $(at $((T + 1796000))) == '162 181' ]]
	[[ $(at $((T + 99999999999))) == '162 181' ]]
	# From the first event on.
	[[ $(at +773000) == '62 79' ]]
	[[ $(at +0,1) == '2 2' ]]
}

@test "a moment: by clocks that are right, slow, fast, and not there" {
	local late
	for late in 40 259200000 -259200000 -600000 600000; do
		new_stream
		recording "$late"
		check_recording
	done
	# All of it came at once, as an import does.
	new_stream
	s2-stream delete "$uri"
	s2-stream create "$uri" timestamping=arrival >/dev/null
	recording 0
	check_recording
}

@test "a moment: one small read finds it, one brings it" {
	local port direct=${S2_BASIN_ENDPOINT##*:}
	new_stream
	recording 40
	port=$(free_port)
	start node "$ROOT/tests/count-proxy.mjs" "$port" "$S2_BASIN_ENDPOINT"
	wait_until 10 grep -q ready "$pid.out"
	use_s2 "$port"
	s2-tail -s "at=$((T + 773000))" -n 3 "$uri" | seqs >got
	use_s2 "$direct"
	[[ $(cat got) == '62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 ' ]]
	sed -n 's/.*?//p' "$pid.out" >calls
	[[ $(wc -l <calls) -eq 2 ]]
	[[ $(sed -n 1p calls) == *"timestamp=$((T + 773000))&count=1" ]]
	[[ $(sed -n 2p calls) == 'seq_num=62&count=20&'* ]]
	# From the first event on, one more says when that was.
	use_s2 "$port"
	s2-tail -s at=+773000 -n 3 "$uri" | seqs >got
	use_s2 "$direct"
	[[ $(cat got) == '62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 ' ]]
	sed '1,3d; s/.*?//' "$pid.out" >calls
	[[ $(wc -l <calls) -eq 3 ]]
	[[ $(sed -n 1p calls) == 'seq_num=0&count=4' ]]
	[[ $(sed -n 2p calls) == *"timestamp=$((T + 773000))&count=1" ]]
	[[ $(sed -n 3p calls) == 'seq_num=62&count=20&'* ]]
}

@test "a moment: of two tabs, where one came an hour late" {
	local i
	new_stream
	recording 40
	# Tab b was offline: 60 batches of the first 10 minutes.
	{
		for i in {0..59}; do
			echo ":batch tab=b batch=$((i + 1))$( ((i == 0)) ||
			    echo " snap=$(((i - 1) / 30 * 30 + 182))")"
			((i % 30)) || echo "{\"type\":4,\"timestamp\":$((T + i * 10000 + 100))}"
			echo "{\"type\":$((i % 30 ? 3 : 2)),\"timestamp\":$((T + i * 10000 + 200))}"
			echo :end
		done
	} | rr-frame -m | node "$ROOT/tests/stamp.mjs" 3600000 |
	    s2-append "$uri" >/dev/null
	[[ $(at $((T + 303000))) == '22 32' ]]
	[[ $(at "$((T + 303000)),1") == '22 32' ]]
	[[ $(at "$((T + 303000)),b") == '212 213' ]]
	[[ $(at "$((T + 93000)),b") == '182 192' ]]
	[[ $(at "$((T - 93000)),b") == '182 182' ]]
	[[ $(at "$((T + 1703000)),b") == '212 241' ]]
	[[ $(at "$((T + 1703000)),1") == '162 172' ]]
	[[ $(at "$((T + 3703000)),1") == '162 181' ]]
	# Of one that is not there: the start.
	[[ $(at "$((T + 303000)),c") == '0 0' ]]
}

@test "a moment: where pointers are missing or wrong, or there is no snapshot" {
	local i snap
	for snap in '' ' snap=4' ' snap=900'; do
		new_stream
		for i in {0..99}; do
			echo ":batch tab=1 batch=$((i + 1))$snap"
			((i != 3)) || echo "{\"type\":4,\"timestamp\":$((T + 30000))}"
			echo "{\"type\":$((i == 3 ? 2 : 3)),\"timestamp\":$((T + i * 10000))}"
			echo :end
		done | rr-frame -m | node "$ROOT/tests/stamp.mjs" 40 |
		    s2-append "$uri" >/dev/null
		[[ $(at $((T + 903000))) == '3 91' ]]
		[[ $(at $((T + 40000))) == '3 4' ]]
		# Before its first snapshot nothing can be shown.
		[[ $(at $((T + 20000))) == '2 2' ]]
	done
	# Of a snapshot in parts, the first.
	new_stream
	printf -v snap '%2500000s'
	printf '%s\n' ':batch tab=1 batch=1' "{\"type\":4,\"timestamp\":$T}" \
	    "{\"type\":2,\"timestamp\":$T,\"data\":\"$snap\"}" :end \
	    ':batch tab=1 batch=2 snap=0' "{\"type\":3,\"timestamp\":$((T + 10))}" \
	    :end ':beat tab=1' :end | rr-frame -m -z none | s2-append "$uri" >/dev/null
	[[ $(at $T) == '0 0' ]]
	[[ $(at $((T + 5))) == '0 3' ]]
	[[ $(at $((T + 50))) == '0 3' ]]
	new_stream
	[[ $(s2-tail -s "at=$T" "$uri" | seqs) == 'tail 0 ' ]]
	printf '%s\n' ':fence set=active' ':meta {}' :end '{"type":4}' |
	    rr-frame | s2-append "$uri"
	[[ $(s2-tail -s "at=$T" "$uri" | seqs) == '0 1 2 tail 3 ' ]]
	run -66 s2-tail -s "at=$T" "$uri/not"
	local wrong
	for wrong in at= at=+ at=+-1 at=x at=1,x at=1, at=1,123456789 at=1.5 at=999999999999999; do
		run -64 s2-tail -s "$wrong" "$uri"
		run -64 s2-tail -e "$wrong" "$uri"
	done
}

@test "the examples of its page" {
	new_stream
	cp "$DATA/gen-session-shop.ndjson" want
	rr-frame <want | s2-append "$uri" >/dev/null
	printf '%s\n' ':fence set=stopped' ':stop {}' :end | rr-frame |
	    s2-append "$uri" >/dev/null
	page_examples "$ROOT/bin/s2-tail/s2-tail.1" |
	    sed "s|s2://BASIN/STREAM|$uri|" >lines
	[[ $(wc -l <lines) -eq 5 ]]
	bash -c "$(sed -n 1p lines)"
	cmp a.ndjson want
	# This one goes on until somebody ends it.
	run -124 --separate-stderr timeout 2 bash -c "$(sed -n 2p lines)"
	jq -c 'select(.data.source == 2)' want | wc -l >count
	((${#lines[@]} > 0 && ${#lines[@]} == $(cat count)))
	bash -c "$(sed -n 3p lines)" >got
	tail -n "$(wc -l <got)" want | cmp - got
	head -2 got | jq -es '[.[].type] == [4, 2]'
	# It is not as old as that: what there is comes.
	bash -c "$(sed -n 4p lines)" >got
	tail -n "$(wc -l <got)" want | cmp - got
	head -2 got | jq -es '[.[].type] == [4, 2]'
	bash -c "$(sed -n 5p lines)" | grep -q '1: '
}
