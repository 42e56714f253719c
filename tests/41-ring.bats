# The whole ring: what goes in by HTTP comes out of S2 as it was, once and in
# order, whoever takes it and whoever dies meanwhile.

load helper

setup_file() {
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/load" \
	    "$BATS_TEST_DIRNAME/load.c"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	sender=$BATS_FILE_TMPDIR/load
	new_basin
}

# start_ring [OPTIONS]: sets ring (its pid), port and collector.
start_ring() {
	port=$(free_port)
	collector=http://127.0.0.1:$port
	start rr-ingest -l "127.0.0.1:$port" -S "$BATS_TEST_TMPDIR/secret" "$@"
	ring=$pid
	wait_until 10 is_ready "$collector"
}

is_ready() {
	[[ $(curl -s "$1/health/ready") == *true* ]]
}

# open_session: sets id, token and path (of its URL).
open_session() {
	curl -sS -d '{}' "$collector/v1/sessions?key=dev" >open.json
	id=$(jq -er .id open.json)
	token=$(jq -er .token open.json)
	path=/v1/sessions/$id
}

# says VERDICT CURL OPTIONS: it is answered with that; see `answer`.
says() {
	local want=$1
	shift
	curl -sS -o answer "$@"
	[[ $(jq -r .verdict answer) == "$want" ]] || {
		echo "wanted $want, got $(<answer) from: curl $*" >&2
		return 1
	}
}

# lines_of: what a reader gets of the session, directives and all.
lines_of() {
	s2-tail "$(s2-stream name "$id")" | rr-reassemble -d
}

E='{"type":3,"timestamp":1767225600000,"data":{"source":1}}'

# cut FILE: into pieces.00000 and so on, at lines, of about 256 KiB.
cut_file() {
	rm -f piece.*
	LC_ALL=C awk '{
		if (n > 0 && n + length($0) > 262144) {
			close(file)
			k++
			n = 0
		}
		n += length($0) + 1
		file = sprintf("piece.%05d", k)
		print > file
	}' "$1"
}

@test "ring: every recording comes back as it was" {
	start_ring
	local file n piece
	for file in "$DATA"/*.ndjson; do
		cut_file "$file"
		open_session
		n=0
		for piece in piece.*; do
			((++n))
			local url="$collector$path/lines?token=$token&tab=a&batch=$n"
			if ((n % 2)); then
				says stored --data-binary "@$piece" "$url"
			else
				gzip "$piece"
				says stored --data-binary "@$piece.gz" "$url&gz=1"
			fi
		done
		rr cat "$id" | cmp - "$file"
		# The whole file by hand, without numbers.
		(($(stat -Lc %s "$file") < 4000000)) || continue
		(($(wc -l <"$file") < 16384)) || continue
		open_session
		says stored --data-binary "@$file" "$collector$path/lines?token=$token"
		rr cat "$id" | cmp - "$file"
	done
}

@test "ring: a batch of 16 MB, one line of 10 MB" {
	start_ring
	open_session
	{
		printf '{"type":2,"data":"'
		head -c 7500000 /dev/urandom | base64 -w 0
		printf '"}\n'
		for _ in {1..5}; do
			printf '{"type":3,"data":"'
			head -c 700000 /dev/urandom | base64 -w 0
			printf '"}\n'
		done
	} >big
	says stored --data-binary @big "$collector$path/lines?token=$token&tab=a&batch=1"
	says stored -d "$E" "$collector$path/lines?token=$token&tab=a&batch=2"
	rr cat "$id" | cmp - <(cat big; echo "$E")
}

@test "ring: batches that come at once and out of order" {
	start_ring
	open_session
	local n
	for n in {20..1}; do
		printf 'next\nurl = "%s"\ndata = "{\\"n\\":%d}"\noutput = "/dev/null"\n' \
		    "$collector$path/lines?token=$token&tab=a&batch=$n" "$n"
	done | sed 1d >many
	curl -sS --parallel --parallel-immediate --parallel-max 20 -K many
	[ "$(rr cat "$id" | jq -c .n | tr '\n' ' ')" = "$(printf '%d ' {1..20})" ]
	! lines_of | grep :gap
}

@test "ring: after a restart the numbers go on" {
	start_ring
	open_session
	local url="/lines?token=$token&tab=5eed"
	printf '%s\n' '{"type":4,"timestamp":1}' '{"type":2,"timestamp":2}' >snapshot
	says stored -d "$E" "$collector$path$url&batch=1"
	says stored --data-binary @snapshot "$collector$path$url&batch=2"
	says stored -d "$E" "$collector$path$url&batch=3"
	says stored -d "$E" "$collector$path/lines?token=$token"
	pkill -KILL -g "$ring" rr-collect
	wait_until 10 gone "$ring"
	start_ring
	says stored -d "$E" "$collector$path$url&batch=3"
	[ "$(jq -c '[.repeat,.seq]' answer)" = '[true,4]' ]
	says stored -d "$E" "$collector$path$url&batch=2"
	[ "$(jq -c .repeat answer)" = true ]
	says away -d "$E" "$collector$path$url&batch=5"
	[ "$(jq -c .want answer)" = 4 ]
	says stored -d "$E" "$collector$path$url&batch=4"
	[ "$(jq -c '[.repeat,.snapshot]' answer)" = '[null,null]' ]
	says stored -d "$E" "$collector$path/lines?token=$token"
	[ "$(jq -c '[.tab,.batch]' answer)" = '["00000000",2]' ]
	lines_of >all
	grep -q '^:batch tab=5eed batch=4 snap=3 ' all
	! grep :gap all
}

@test "ring: two collectors in turn" {
	start_ring
	local one=$collector
	start_ring
	local two=$collector here n
	open_session
	for n in {1..5}; do
		for here in "$one" "$two"; do
			says stored -d "{\"n\":$n}" "$here$path/lines?token=$token&tab=a&batch=$n"
			says stored -d "{\"by\":\"$here\"}" "$here$path/lines?token=$token"
			[ "$(jq .repeat answer)" = null ]
		done
	done
	[ "$(rr cat "$id" | jq -s 'length')" = 15 ]
	! lines_of | grep :gap
	says stopped -d '' "$one$path/stop?token=$token"
	says closed -d "$E" "$two$path/lines?token=$token&tab=a&batch=6"
	says stopped -d '' "$two$path/stop?token=$token"
	# And many at once, each changing over now and then.
	"$sender" -r -c 16 -s 4 -n 40 -x 3 -o acked "$one" "$two"
	check_acked acked
	# Each batch to the other one, as a proxy in turn would have it.
	"$sender" -r -c 8 -s 2 -n 20 -x 1 -o acked "$one" "$two"
	check_acked acked
}

# check_acked FILE: of each tab in it, what was acknowledged can be read, once
# and in order.
check_acked() {
	local id tabs
	while read -r id tabs; do
		# shellcheck disable=SC2086 # one word a tab
		s2-tail "$(s2-stream name "$id")" | rr-reassemble -d |
		    "$sender" -V "$id" $tabs
	done < <(awk '{ t[$1] = t[$1] " " $2 "=" $3 }
	    END { for (id in t) print id t[id] }' "$1")
}

@test "ring: more sessions than are remembered" {
	start_ring --max-sessions 3
	"$sender" -r -c 12 -s 12 -n 30 -o acked "$collector"
	check_acked acked
}

@test "ring: after rr stop 100 late writers are refused, by every way" {
	start_ring
	local one=$collector n
	start_ring
	local two=$collector
	open_session
	says stored -d "$E" "$one$path/lines?token=$token&tab=a&batch=1"
	rr stop "$id"
	s2-stream tail "$(s2-stream name "$id")" >before
	for n in {1..10}; do
		for collector in "$one" "$two"; do
			says closed -d "$E" "$collector$path/lines?token=$token&tab=a&batch=2"
			says closed -d "$E" "$collector$path/lines?token=$token"
			says closed -d '' "$collector$path/beat?token=$token"
			says closed -d '{}' "$collector$path/meta?token=$token"
			says closed -d '' "$collector$path/gap?token=$token&tab=a&batch=2&cause=lost"
		done
		if ((n == 5)); then
			pkill -KILL -g "$ring" rr-collect
			wait_until 10 gone "$ring"
			start_ring
			two=$collector
		fi
	done
	s2-stream tail "$(s2-stream name "$id")" | cmp - before
	says stopped -d '{"late":1}' "$one$path/stop?token=$token"
	s2-stream tail "$(s2-stream name "$id")" | cmp - before
}

@test "ring: a session that was deleted is gone" {
	start_ring
	open_session
	says stored -d "$E" "$collector$path/lines?token=$token&tab=a&batch=1"
	rr rm -f "$id"
	is_gone() {
		says gone -d "$E" "$collector$path/lines?token=$token&tab=a&batch=2"
	}
	wait_until 10 is_gone
	says gone -d '' "$collector$path/beat?token=$token"
	says gone -d '' "$collector$path/stop?token=$token"
}

@test "ring: 10,000 sessions take little memory" {
	start_ring
	"$sender" -c 100 -s 100 -n 1 "$collector"
	local before after pids
	pids=$(pgrep -d ' ' -g "$ring" 'rr-collect|rr-frame|s2-append')
	resident() {
		local p sum=0
		for p in $pids; do
			((sum += $(awk '/^VmRSS/ { print $2 }' "/proc/$p/status")))
		done
		echo "$sum"
	}
	before=$(resident)
	"$sender" -c 100 -s 10000 -n 1 "$collector"
	after=$(resident)
	echo "# $((after - before)) KiB for 10,000 sessions" >&3
	# (A sanitizer's own memory is no concern of ours.)
	[[ $BUILD == *-sanitize ]] || ((after - before < 40000))
}

@test "ring: stopped while S2 is away, it ends in time and loses nothing" {
	start_s2 s2
	new_basin
	start_ring -M "unix:$PWD/metrics"
	open_session
	local url="$collector$path/lines?token=$token&tab=a&batch" begun n status=0
	says stored -d '{"n":1}' "$url=1"
	kill -STOP -- "-$s2_pid"
	for n in 2 3; do
		start curl -sS -m 60 -d "{\"n\":$n}" -w '\n%{http_code}' "$url=$n"
	done
	local last=$pid
	wait_until 10 waits_for_s2
	begun=$SECONDS
	kill -TERM "$ring"
	# What waits is told to come again.
	ended "$last"
	[ "$(head -n 1 "$last.out" | jq -r .verdict)" = away ]
	[ "$(tail -n 1 "$last.out")" = 503 ]
	ended "$ring" || status=$?
	echo "# stopped in $((SECONDS - begun)) s" >&3
	[ "$status" = 0 ]
	((SECONDS - begun < 20))
	kill -CONT -- "-$s2_pid"
	start_ring
	url="$collector$path/lines?token=$token&tab=a&batch"
	for n in 2 3; do
		says stored -d "{\"n\":$n}" "$url=$n"
	done
	rr cat "$id" | cmp - <(printf '{"n":%d}\n' 1 2 3)
	! lines_of | grep :gap
}

# waits_for_s2: S2 owes the ring an answer.
waits_for_s2() {
	curl -sS --unix-socket metrics http://x/metrics |
	    grep -q '^rrpipe_s2_queued_pieces [1-9]'
}
