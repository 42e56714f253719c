# s2-append: one stream and many, against a real s2-lite.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
	B=s2://$RR_BASIN
}

# acks FILE: its lines with S2's times made equal.
acks() {
	sed 's/ time=[0-9]*/ time=T/' "$1"
}

# tail_of STREAM: the number of records in a stream that nobody trimmed.
tail_of() {
	curl -sS -H "S2-Basin: $RR_BASIN" \
	    "$S2_BASIN_ENDPOINT/v1/streams/$1/records/tail" |
	    sed 's/.*"seq_num":\([0-9]*\).*/\1/'
}

# batches N SIZE: N batches of one event, of SIZE bytes that do not compress.
batches() {
	awk -v n="$1" -v size="$2" 'BEGIN {
		srand(1)
		for (i = 1; i <= n; i++) {
			s = ""
			while (length(s) < size)
				s = s sprintf("%08x", rand() * 4294967295)
			printf ":batch tab=1 batch=%d\n", i
			printf "{\"type\":3,\"n\":%d,\"s\":\"%s\"}\n:end\n", i, s
		}
	}'
}

# slowly: passes lines on, some at a time.
slowly() {
	awk '{ print; fflush() } NR % 90 == 0 { system("sleep 0.02") }'
}

# same_events STREAM LINES: the stream holds each batch of LINES once.
same_events() {
	grep -v '^:' "$2" >wanted
	s2-tail "$B/$1" >got.rec
	rr-reassemble <got.rec >got
	cmp got wanted
	[[ $(tail_of "$1") == $(grep -c '^:batch' "$2") ]]
}

# cut_proxy SEED MIN MAX: S2 through a proxy that cuts connections.
cut_proxy() {
	proxy_port=$(free_port)
	start node "$ROOT/tests/cut-proxy.mjs" "$proxy_port" \
	    "${S2_BASIN_ENDPOINT##*:}" "$1" "$2" "$3"
	proxy_pid=$pid
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/$pid.out"
}

through_proxy() {
	S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$proxy_port \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:$proxy_port "$@"
}

grown_or_gone() {
	gone "$3" || (($(tail_of "$1") > $2))
}

@test "help, version, wrong use" {
	run -0 s2-append --help
	[[ $output == "usage: s2-append "* ]]
	run -0 s2-append --version
	[[ $output == "s2-append "[0-9]* ]]
	run -1 --separate-stderr bash -c 's2-append --help >/dev/full'
	[[ $stderr == *': No space left on device' ]]
	run -64 s2-append
	run -64 s2-append -x "$B/a"
	run -64 s2-append "$B/a" "$B/b"
	run -64 s2-append "$B"
	run -64 s2-append -m "$B/a"
	run -64 s2-append -m -c "$B"
	run -64 s2-append -n 2 "$B/a"
	run -64 s2-append http://a/b
	run -64 s2-append s2://short/a
	run -64 s2-append "$B/.."
	run -64 s2-append -s 1x "$B/a"
	[[ $output == "s2-append: -s '1x' "* ]]
	run -64 s2-append -w 1 "$B/a"
	run -64 s2-append -T 0 "$B/a"
}

@test "settings: from a file, and what is wrong with them" {
	export RR_CONF=$PWD/conf
	account=$S2_ACCOUNT_ENDPOINT
	printf '%s\n' '# S2' '' "S2_ACCOUNT_ENDPOINT=$account  " \
	    "S2_BASIN_ENDPOINT=\"$account/v1\"" >conf
	env -u S2_ACCOUNT_ENDPOINT -u S2_BASIN_ENDPOINT -u S2_ACCESS_TOKEN \
	    s2-append -c "$B/a" </dev/null
	printf 'A=1\nS2_BASIN_ENDPOINT = x\n' >conf
	run -78 s2-append "$B/a" </dev/null
	[[ $output == "s2-append: $PWD/conf:2: the line is not NAME=value" ]]
	printf 'A="1\n' >conf
	run -78 s2-append "$B/a" </dev/null
	[[ $output == *"/conf:1: "* ]]
	rm conf
	run -78 s2-append "$B/a" </dev/null
	[[ $output == *"$PWD/conf: No such file"* ]]
	unset RR_CONF S2_ACCOUNT_ENDPOINT
	run -78 s2-append "$B/a" </dev/null
	[[ $output == *"set S2_ACCOUNT_ENDPOINT too" ]]
	export HOME=$PWD XDG_CONFIG_HOME=
	run -78 env -u S2_BASIN_ENDPOINT -u S2_ACCESS_TOKEN \
	    s2-append "$B/a" </dev/null
	[[ $output == *"set S2_ACCOUNT_ENDPOINT and S2_BASIN_ENDPOINT"* ]]
	S2_ACCOUNT_ENDPOINT=ftp://x run -78 s2-append "$B/a" </dev/null
	[[ $output == *"S2_ACCOUNT_ENDPOINT is 'ftp://x'"* ]]
	S2_ACCOUNT_ENDPOINT=http://x/y run -78 s2-append "$B/a" </dev/null
	S2_SSL_NO_VERIFY=maybe S2_ACCOUNT_ENDPOINT=x run -78 \
	    s2-append "$B/a" </dev/null
	[[ $output == *"S2_SSL_NO_VERIFY is 'maybe'"* ]]
}

@test "every recording comes back byte by byte" {
	for f in "$DATA"/*.ndjson; do
		name=$(basename "$f" .ndjson)
		rr-frame <"$f" >rec
		s2-append -c "$B/$name" <rec >out 2>err
		[[ ! -s out && ! -s err ]]
		s2-tail "$B/$name" >rec2
		rr-reassemble <rec2 | cmp - "$f"
	done
}

@test "names: slashes, percent signs, spaces, UTF-8" {
	for name in 'a/b' 'a%2Fb' 'ä ö?x=1#y' 'a//b/' '...'; do
		printf '{"type":3}\n' | rr-frame | s2-append -c "$B/$name"
	done
	run -0 curl -sS -H "S2-Basin: $RR_BASIN" "$S2_BASIN_ENDPOINT/v1/streams"
	[[ $output == *'"a%2Fb"'*'"a/b"'*'"a//b/"'*'"ä ö?x=1#y"'* ]] ||
	    [[ $output == *'"..."'*'"a%2Fb"'*'"a/'* ]]
	[[ $(tail_of a%252Fb) == 1 && $(tail_of a%2Fb) == 1 ]]
}

@test "units are acknowledged with their places" {
	printf '%s\n' ':fence set=active' ':meta {"a":1}' ':end token=a' \
	    '{"type":3}' ':end token=b%20%25' ':end token=empty' \
	    '{"type":3}' | rr-frame >rec
	s2-append -c "$B/x" <rec >out
	acks out >got
	diff got - <<-'END'
		:ack token=a seq=0 count=2 time=T
		:ack token=b%20%25 seq=2 count=1 time=T
		:ack token=empty seq=3 count=0 time=T
	END
	[[ $(tail_of x) == 4 ]]
	s2-append -v "$B/x" <rec >out
	acks out >got
	head -1 got >first
	diff first - <<<':ack token=a seq=4 count=2 time=T'
}

@test "an input without tokens is silent, and with -v each append is told" {
	printf '{"type":3}\n' | rr-frame >rec
	run -0 s2-append -c "$B/x" <rec
	[[ -z $output ]]
	s2-append -v "$B/x" <rec >out
	acks out | diff - <(echo ':ack token=- seq=1 count=1 time=T')
}

@test "without the stream or the basin" {
	printf '{"type":3}\n:end token=t\n' | rr-frame >rec
	run -66 --separate-stderr s2-append "$B/none" <rec
	[[ $output == ':nak token=t reason=missing status=404' ]]
	[[ $stderr == "s2-append: append to $B/none: there is no such stream" ]]
	run -66 s2-append -c s2://no-such-basin/x <rec
	run -0 s2-append -c "$B/x" </dev/null
	run -0 s2-append -c "$B/x" </dev/null
	[[ $(tail_of x) == 0 ]]
}

@test "a fenced writer is refused" {
	printf ':fence set=stopped\n' | rr-frame | s2-append -c "$B/x"
	printf '{"type":3}\n' | rr-frame >rec
	run -4 --separate-stderr s2-append -t active "$B/x" <rec
	[[ $output == ':nak token=- reason=fenced status=412 {"fence":"stopped"}' ]]
	[[ $stderr == *"the stream is fenced by 'stopped'" ]]
	run -4 s2-append -t '' "$B/x" <rec
	printf '%s\n' ':fence use=stopped' '{"type":3}' ':end token=a' \
	    ':fence use=active' '{"type":3}' ':end token=b' \
	    '{"type":3}' ':end token=c' | rr-frame >rec
	run -4 --separate-stderr s2-append "$B/x" <rec
	acks - <<<"$output" >got
	diff got - <<-'END'
		:ack token=a seq=1 count=1 time=T
		:nak token=b reason=fenced status=412 {"fence":"stopped"}
		:nak token=c reason=fenced status=412 {"fence":"stopped"}
	END
	[[ $(tail_of x) == 2 ]]
}

@test "a fence of one's own that was taken late is no refusal" {
	local port
	port=$(free_port)
	# A proxy that breaks off the first append, and passes it on when the
	# next one comes, before that.
	cat >late.mjs <<-'EOF'
	import http2 from "node:http2";
	const [port, to] = process.argv.slice(2);
	const there = http2.connect(to);
	let held = null;
	http2.createServer().on("stream", (from, head) => {
		const append = head[":method"] === "POST" &&
		    head[":path"].endsWith("/records");
		from.on("error", () => {});
		if (append && held === null) {
			held = { head };
			from.once("data", (data) => {
				held.data = data;
				from.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
			});
			return;
		}
		const pass = () => {
			const on = there.request(head);
			on.on("response", (answer) => {
				from.respond(answer);
				on.pipe(from);
			});
			on.on("error", () => from.close());
			from.pipe(on);
		};
		if (!append || !held.data)
			return pass();
		const late = there.request(held.head);
		late.end(held.data);
		held.data = null;
		late.once("data", () => { console.log("late"); pass(); });
	}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
	EOF
	start node late.mjs "$port" "$S2_BASIN_ENDPOINT"
	wait_until 10 grep -q ready "$pid.out"
	uri=s2://$RR_BASIN/late
	printf '%s\n' ':fence set=active' '{"type":4}' | rr-frame | s2-append -c "$uri"
	printf '%s\n' ':fence use=active set=stopped' ':stop {"a":1}' ':end token=x' |
	    rr-frame >stop
	S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$port S2_BASIN_ENDPOINT=http://127.0.0.1:$port \
	    run -0 --separate-stderr s2-append "$uri" <stop
	[[ $output == ':ack token=x seq=2 count=2 time='* ]]
	[ "$stderr" = '' ]
	grep -qx late "$pid.out"
	[ "$(s2-tail "$uri" | rr-reassemble -d | grep -c '^:stop')" = 1 ]
}

@test "places: -s, and repeating what was done" {
	batches 50 100 >lines
	rr-frame <lines >rec
	s2-append -c -s 0 "$B/x" <rec
	s2-append -s 0 "$B/x" <rec
	same_events x lines
	# Half of it, then the whole.
	head -75 lines | rr-frame | s2-append -c -s 0 "$B/y"
	[[ $(tail_of y) == 25 ]]
	s2-append -s 0 "$B/y" <rec
	same_events y lines
	# Others' records.
	run -1 s2-append -s 1 "$B/x" <rec
	[[ $output == *"sequence number 1 is taken by another record"* ]]
	run -1 s2-append -s 51 "$B/x" <rec
	[[ $output == *"sequence number 51 is not the next one; the tail is 50" ]]
	[[ $(tail_of x) == 50 ]]
	printf ':match seq=50\n{"type":3}\n:end token=a\n{"type":4}\n' |
	    rr-frame | s2-append -s tail "$B/x" >out
	acks out | diff - <(echo ':ack token=a seq=50 count=1 time=T')
	printf ':match seq=50\n{"type":5}\n:end token=a\n' | rr-frame >rec
	run -1 --separate-stderr s2-append "$B/x" <rec
	[[ $output == ':nak token=a reason=mismatch status=412 {"seq":52}' ]]
}

acknowledged() { (($(wc -l <out) >= $1)); }

@test "what has arrived is durable before more comes" {
	mkfifo in
	s2-append -c -v "$B/x" <in >out 2>/dev/null 3>&- &
	append=$!
	exec 5>in
	for i in 1 2 3; do
		printf '{"type":3}\n' | rr-frame >&5
		wait_until 20 acknowledged "$i"
	done
	exec 5>&-
	wait $append
	acks out | diff - <(printf ':ack token=- seq=%d count=1 time=T\n' 0 1 2)
}

@test "bad input: everything before it is appended" {
	printf '{"type":3}\n' | rr-frame >rec
	run -65 s2-append -c "$B/x" <<<junk
	[[ $output == *"byte 0: "* ]]
	cat rec <(head -c 20 rec) >bad
	run -65 s2-append -c "$B/a" <bad
	[[ $output == *"byte $(stat -c %s rec): the input ends in the middle"* ]]
	[[ $(tail_of a) == 1 ]]
	s2-tail "$B/a" >tail.rec
	run -65 s2-append "$B/a" <tail.rec
	[[ $output == *"has been read from S2"* ]]
	printf ':stream name=x\n{"type":3}\n' | rr-frame >rec
	run -65 s2-append "$B/a" <rec
	[[ $output == *"use s2-append -m"* ]]
	printf '{"type":3}\n' | rr-frame >rec
	run -65 s2-append -m "$B" <rec
	[[ $output == *"no stream is named yet"* ]]
	# A record of more than 1 MiB: 0x0a, its length, field 3, its length.
	{
		printf '\x0a\x85\x80\x40\x1a\x81\x80\x40'
		head -c 1048577 /dev/zero
	} >big
	run -65 s2-append "$B/a" <big
	[[ $output == *"larger than S2 takes"* ]]
}

@test "a record without any header, as large as S2 takes" {
	{
		printf '\x0a\x00\x0a\xfc\xff\x3f\x1a\xf8\xff\x3f'
		head -c 1048568 /dev/zero
	} >rec
	s2-append -c -v "$B/x" <rec >out
	[[ $(tail_of x) == 2 ]]
}

@test "S2 away: gives up in time" {
	printf '{"type":3}\n:end token=t\n' | rr-frame >rec
	use_s2 "$(free_port)"
	run -75 --separate-stderr s2-append -T 1 "$B/x" <rec
	[[ $output == ':nak token=t reason=unavailable' ]]
	[[ $stderr == *"nothing went through for 1 s; last: "*"nobody answers there"* ]]
}

@test "TLS: HTTP/2 by ALPN, and a certificate that is not known" {
	port=$(free_port)
	read -ra lite <<<"$("$ROOT/scripts/s2-lite" path)"
	start env SL8_MANIFEST_POLL_INTERVAL=100ms "${lite[@]}" \
	    --port "$port" --tls-self
	wait_until 20 curl -sko /dev/null "https://localhost:$port/health"
	export S2_ACCOUNT_ENDPOINT=https://localhost:$port
	export S2_BASIN_ENDPOINT=https://localhost:$port
	curl -sSko /dev/null -H 'Content-Type: application/json' \
	    -d "{\"basin\":\"$RR_BASIN\"}" "$S2_ACCOUNT_ENDPOINT/v1/basins"
	batches 3000 900 >lines
	rr-frame <lines >rec
	run -78 s2-append -c "$B/x" <rec
	[[ $output == *"certificate"* ]]
	export S2_SSL_NO_VERIFY=1
	s2-append -c "$B/x" <rec
	s2-tail "$B/x" | rr-reassemble >got
	grep -v '^:' lines | cmp - got
	# Two streams side by side on one connection.
	printf '%s\n' ':stream name=a' ':create' '{"type":3}' ':end token=1' \
	    ':stream name=b' ':create' '{"type":3}' ':end token=2' |
	    rr-frame | s2-append -m -n 1 "$B" >out
	[[ $(grep -c '^:ack' out) == 2 ]]
}

@test "SIGTERM is an end of the input" {
	printf '{"type":3}\n' | rr-frame >rec
	mkfifo in
	s2-append -c "$B/x" <in 3>&- &
	append=$!
	exec 5>in
	cat rec >&5
	wait_until 10 sh -c "curl -s -H 'S2-Basin: $RR_BASIN' \
	    $S2_BASIN_ENDPOINT/v1/streams/x/records/tail | grep -q :1,"
	kill -TERM $append
	wait $append
	exec 5>&-
}

@test "a reader that left ends it, behind what was read" {
	batches 200 1000 | sed 's/^:end/:end token=t/' | rr-frame >rec
	# Who writes behind it blocks, as before it.
	run -0 bash -c "{ s2-append -c $B/y </dev/null
	    grep -o 'flags:.*' /proc/self/fdinfo/1 >&2; } | cat"
	(((8#${output//[^0-9]/} & 04000) == 0))
	run -0 bash -c "(cat rec; sleep 5) 3>&- | s2-append -c $B/x |
	    head -1 >out; echo \${PIPESTATUS[1]}"
	[[ $output == 1 ]]
	wait_until 5 test -s out
	[[ $(tail_of x) == 200 ]]
}

@test "cut connections: each record once" {
	batches 3000 900 >lines
	for seed in 1 2 3 4 5 6; do
		cut_proxy $seed 300 900000
		slowly <lines | rr-frame |
		    through_proxy s2-append -v -c "$B/x$seed" >out 2>err
		stop "$proxy_pid"
		same_events "x$seed" lines
		[[ $(awk -F'[ =]' '{ n += $7 } END { print n }' out) == 3000 ]]
	done
	grep -q 'again in' err
}

@test "cut connections with other writers in between" {
	batches 3000 900 >lines
	cut_proxy 7 500 2500000
	s2-append -c "$B/x" </dev/null
	(n=0
	while [[ ! -e enough ]]; do
		printf '{"type":5}\n' | rr-frame | s2-append "$B/x"
		echo $((++n)) >others
	done) 3>&- &
	other=$!
	slowly <lines | rr-frame |
	    through_proxy s2-append "$B/x" >out 2>err
	touch enough
	wait $other
	grep -v '^:' lines >wanted
	s2-tail "$B/x" >got.rec
	rr-reassemble -t 1 <got.rec | cmp - wanted
	[[ $(tail_of x) == $((3000 + $(cat others))) ]]
}

@test "s2-lite is killed and started again: each record once" {
	batches 4000 900 >lines
	unset s2_port
	start_s2 root
	new_basin
	B=s2://$RR_BASIN
	(slowly <lines | rr-frame | s2-append -c "$B/x" 2>err) 3>&- &
	append=$!
	for ((i = 0; i < 3; i++)); do
		wait_until 10 sh -c "curl -s -H 'S2-Basin: $RR_BASIN' \
		    $S2_BASIN_ENDPOINT/v1/streams/x/records/tail |
		    grep -q 'seq_num\":[1-9]'"
		stop "$s2_pid" KILL || :
		start_s2 root
	done
	wait $append
	same_events x lines
}

@test "s2-append is killed and repeated with -s: each record once" {
	batches 3000 900 >lines
	rr-frame <lines >rec
	before=0
	for ((i = 0; i < 8; i++)); do
		start sh -c "awk '{ print; fflush() }
		    NR % 90 == 0 { system(\"sleep 0.02\") }' <lines |
		    rr-frame | s2-append -c -s 0 $B/x"
		wait_until 10 grown_or_gone x "$before" "$pid"
		kill -s KILL -- "-$pid" || :
		ended "$pid" || :
		before=$(tail_of x)
	done
	s2-append -c -s 0 "$B/x" <rec
	same_events x lines
}

@test "many: units of several streams, and their fates" {
	rr-frame >rec <<-'END'
		:stream name=a
		:create {"retention_policy":{"infinite":{}}}
		:fence use= set=active
		:meta {"url":"x"}
		:end token=a1
		:stream name=none
		{"type":3}
		:end token=none
		:stream name=a
		:fence use=active
		:batch tab=1 batch=1
		{"type":3}
		:end token=a2
		:stream name=a
		:fence use=wrong
		:batch tab=1 batch=2
		{"type":3}
		:end token=a3
		:stream name=a
		:probe token=p
		:stream name=none
		:probe token=q
		:stream name=a
		:fence use=active set=stopped
		:stop {"reason":"x"}
		:end token=a4
		:stream name=a
		:fence use=active
		:batch tab=1 batch=4
		{"type":3}
		:end token=a5
		:stream name=a
		:match seq=3
		:meta {"late":1}
		:end token=a6
		:end token=alone
	END
	s2-append -m "$B" <rec >out
	acks out | grep -v 'none\|=q' >got
	diff got - <<-'END'
		:ack token=a1 seq=0 count=2 time=T
		:ack token=a2 seq=2 count=1 time=T
		:nak token=a3 reason=fenced status=412 {"fence":"active"}
		:seen token=p seq=0 time=T fence=active
		:seen token=p seq=1 time=T head=120000000000000060ea9200
		:seen token=p seq=2 time=T head=1100000000010110e845d401
		:ack token=p seq=3 count=0 time=T
		:ack token=a4 seq=3 count=2 time=T
		:nak token=a5 reason=fenced status=412 {"fence":"stopped"}
		:nak token=a6 reason=mismatch status=412 {"seq":5}
		:ack token=alone seq=0 count=0 time=T
	END
	grep 'none\|=q' out >got
	diff got - <<-'END'
		:nak token=none reason=missing status=404
		:nak token=q reason=missing status=404
	END
}

@test "many: 20,000 units, each with its own place" {
	awk 'BEGIN { for (i = 0; i < 20000; i++) {
		s = i % 50; n[s]++
		print ":stream name=s" s
		if (i < 50) print ":create"
		printf ":batch tab=1 batch=%d\n{\"type\":3,\"i\":%d}\n", n[s], i
		printf ":end token=%d.%d\n", s, n[s] } }' >lines
	rr-frame <lines >rec
	s2-append -m "$B" <rec >out
	[[ $(grep -c '^:ack' out) == 20000 ]]
	# Unit n of each stream is its record n - 1.
	awk '{ split($2, t, /[=.]/); split($3, s, "=")
	    if ($1 != ":ack" || s[2] != t[3] - 1 || $4 != "count=1") print }' \
	    out >wrong
	[[ ! -s wrong ]]
	grep -v '^:' lines | awk 'NR % 50 == 8' >wanted
	s2-tail "$B/s7" >rec7
	rr-reassemble <rec7 | cmp - wanted
}

@test "many: a unit of 5 MB in several appends" {
	head -c 4000000 /dev/urandom | base64 -w 0 >text
	{
		printf ':stream name=big\n:create\n:batch tab=1 batch=1\n'
		printf '{"type":3,"x":"'
		cat text
		printf '"}\n:end token=big\n'
		printf ':stream name=big\n:batch tab=1 batch=2\n'
		printf '{"type":4}\n:end token=small\n'
	} >lines
	rr-frame <lines >rec
	s2-append -m "$B" <rec >out
	acks out >got
	n=$(sed -n 's/^:ack token=big seq=0 count=\([0-9]*\) .*/\1/p' got)
	((n > 1))
	grep -q "^:ack token=small seq=$n count=1 " got
	grep '^{' lines >wanted
	s2-tail "$B/big" >rec2
	rr-reassemble <rec2 | cmp - wanted
}

@test "many: cut connections lose nothing that is acknowledged" {
	awk 'BEGIN { srand(1); for (i = 0; i < 4000; i++) {
		s = i % 20; n[s]++; x = ""
		while (length(x) < 900) x = x sprintf("%08x", rand() * 2^32)
		print ":stream name=s" s
		if (i < 20) print ":create"
		printf ":batch tab=1 batch=%d\n", n[s]
		printf "{\"type\":3,\"i\":%d,\"x\":\"%s\"}\n", n[s], x
		printf ":end token=%d.%d\n", s, n[s] } }' >lines
	cut_proxy 3 500 400000
	slowly <lines | rr-frame |
	    through_proxy s2-append -m "$B" >out
	[[ $(grep -c '^:ack' out) == 4000 ]]
	[[ $(grep -vc '^:ack' out) == 0 ]] || fail "$(grep -v '^:ack' out)"
	for ((s = 0; s < 20; s++)); do
		grep '^{' lines | awk -v s=$s 'NR % 20 == (s + 1) % 20' >wanted
		s2-tail "$B/s$s" >got.rec
		rr-reassemble <got.rec | cmp - wanted
	done
}

@test "many: S2 away: units are refused in time, and it goes on" {
	unset s2_port
	start_s2 root
	new_basin
	B=s2://$RR_BASIN
	mkfifo in
	s2-append -T 2 -m "$B" <in >out 3>&- &
	append=$!
	exec 5>in
	printf '%s\n' ':stream name=a' ':create' '{"type":3}' ':end token=1' |
	    rr-frame >&5
	wait_until 10 grep -q 'ack token=1' out
	stop "$s2_pid" KILL || :
	printf '%s\n' ':stream name=a' '{"type":3}' ':end token=2' |
	    rr-frame >&5
	wait_until 10 grep -q '^:nak token=2 reason=unavailable' out
	start_s2 root 5>&-
	printf '%s\n' ':stream name=a' '{"type":3}' ':end token=3' |
	    rr-frame >&5
	wait_until 10 grep -q '^:ack token=3 ' out
	exec 5>&-
	wait $append
}

@test "many: nobody reads what is told: it ends in time" {
	start_s2
	new_basin
	local s2=$s2_pid told in status=0 begun
	mkfifo in told
	start bash -c 'exec s2-append -mS "$0" <in >told' "s2://$RR_BASIN"
	exec {in}>in {told}<told
	printf '%s\n' ':stream name=a' :create '{"n":1}' ':end token=1' |
	    rr-frame >&"$in"
	hear ':ack token=1 *'
	kill -STOP -- "-$s2"
	printf '%s\n' ':stream name=a' '{"n":2}' ':end token=2' ':stream name=b' \
	    :create '{"n":3}' ':end token=3' | rr-frame >&"$in"
	# Of what it has read nobody hears: 2 seconds, not 30.
	hear '* queued=2 *'
	begun=$SECONDS
	exec {told}<&-
	ended "$pid" 20 || status=$?
	exec {in}>&-
	[ "$status" = 1 ]
	((SECONDS - begun < 15))
	kill -CONT -- "-$s2"
	# What was acknowledged is there.
	s2-tail "s2://$RR_BASIN/a" | rr-reassemble | head -n 1 | cmp - <(echo '{"n":1}')
}

@test "many: a session that is refused holds up no other stream" {
	local in told
	mkfifo in told
	start bash -c 'exec s2-append -m -n 1 "$0" <in >told' "$B"
	exec {in}>in {told}<told
	# Of some sessions of the connection there is always one that is open.
	printf ':stream name=a%s\n:create\n{"n":1}\n:end token=1\n' {1..9} |
	    rr-frame >&"$in"
	hear ':ack token=1 *'
	printf ':stream name=a%s\n{"n":2}\n:end token=2\n' {1..9} |
	    rr-frame >more
	start bash -c 'for ((i = 0; i < 1200; i++)); do
		cat more >&"$0"
		sleep 0.01
	done' "$in"
	hear ':ack token=2 *'
	printf '%s\n' ':stream name=none' '{"n":1}' ':end token=none' |
	    rr-frame >&"$in"
	hear ':nak token=none reason=missing status=404'
	printf '%s\n' ':stream name=b' :create '{"n":1}' ':end token=3' |
	    rr-frame >&"$in"
	hear ':ack token=3 *'
	gone "$pid" && fail 'it took as long as the other session'
	exec {in}>&- {told}<&-
}

# hear PATTERN: reads lines up to one like that.
hear() {
	local line
	# shellcheck disable=SC2053 # a pattern
	while read -rt 20 line <&"$told"; do
		[[ $line != $1 ]] || return 0
	done
	return 1
}

@test "many: a stream that does not move is full" {
	unset s2_port
	start_s2
	new_basin
	B=s2://$RR_BASIN
	s2-append -c "$B/a" </dev/null
	server=$(pgrep -g "$s2_pid" server || echo "$s2_pid")
	kill -STOP $server
	awk 'BEGIN { for (i = 0; i < 1100; i++)
	    printf ":stream name=a\n{\"type\":3}\n:end token=%d\n", i }' |
	    rr-frame >rec
	s2-append -m "$B" <rec >out 3>&- &
	append=$!
	wait_until 10 grep -q '^:nak token=1099 reason=full$' out
	kill -CONT $server
	wait $append
	[[ $(grep -c '^:ack' out) == 1024 ]]
	[[ $(grep -c 'reason=full$' out) == 76 ]]
}

@test "the examples of its page" {
	cp "$DATA/gen-session-shop.ndjson" a.ndjson
	page_examples "$ROOT/bin/s2-append/s2-append.1" |
	    sed "s|s2://my-basin|$B|; s|\\\e|\\\\|g" >script
	bash -euo pipefail script >out
	n=$(rr-frame <a.ndjson | s2-append -v -c "$B/c" |
	    awk -F'[ =]' '{ n += $7 } END { print n }')
	acks out | sort >got
	diff got - <<-END
		:ack token=1 seq=0 count=1 time=T
		:ack token=2 seq=0 count=1 time=T
		:ack token=x seq=$n count=2 time=T
	END
	s2-tail "$B/demo" | rr-reassemble | cmp - a.ndjson
	[[ $(tail_of a) == 1 && $(tail_of b) == 1 ]]
}
