# rr-reassemble: the reader rule, what is missing, what is damaged, what is
# newer, and RePlaya's records; and the pair of it and rr-frame under load.

load helper

PATH=$BUILD/tests:$PATH

lines_of() {
	printf '%s\n' "$@"
}

# batch TAB NUMBER LINE...: prints a batch as lines.
batch() {
	printf ':batch tab=%s batch=%s\n' "$1" "$2"
	shift 2
	(($# == 0)) || printf '%s\n' "$@"
	echo :end
}

# large N: prints an event of N bytes that does not compress.
large() {
	printf '{"type":2,"x":"'
	head -c "$1" /dev/urandom | base64 -w0 | head -c $(($1 - 18))
	printf '"}\n'
}

# check OUT ERR STATUS COMMAND...: compares all that a command does; ERR
# without 'rr-reassemble: '.
check() {
	local out=$1 err=$2 want=$3 status=0
	shift 3
	"$@" >out.got 2>err.got || status=$?
	printf '%s' "${out:+$out$'\n'}" | diff - out.got
	printf '%s' "${err:+rr-reassemble: ${err//$'\n'/$'\n'rr-reassemble: }$'\n'}" |
	    diff - err.got
	[ "$status" = "$want" ]
}

@test "rr-reassemble: -d and rr-frame again make an equal recording" {
	local file option
	for file in "$DATA"/*.ndjson; do
		for option in -z3 -znone -n7 -s1000; do
			rr-frame "$option" "$file" | rr-reassemble -d >d
			grep -v ^: d | cmp - "$file"
			rr-frame "$option" d | rr-reassemble -d | cmp - d
			rr-frame "$option" d | rr-reassemble | cmp - "$file"
		done
	done
	# Of what is in S2, but for its own numbers and times.
	{
		lines_of ':fence set=active' ':meta {"a":1}' ':beat tab=7'
		batch 7 5 '{"type":4}' '{"type":2}'
		lines_of ':gap tab=7 batch=6-9 cause=overflow events=12' \
		    ':gap tab=7 batch=10 cause=privacy within=1'
		batch 7 10 '{"a":1}'
		lines_of ':gap tab=7 batch=11-200000000 cause=lost' \
		    ':fence set=stopped' ':stop {"b":2}' \
		    ':record head=1800000000000102 body=QQ=='
	} | rr-frame | sequence 3 | rr-reassemble -dq >d || :
	[ "$(wc -l <d)" = 17 ]
	rr-frame d | sequence 3 | rr-reassemble -dq | cmp - d
}

@test "rr-reassemble: each batch once and in order, whatever was sent again" {
	local n
	for n in 1 2 3 4; do
		batch 0 "$n" "{\"n\":$n}" | rr-frame >"b$n"
	done
	check $'{"n":1}\n{"n":2}\n{"n":3}\n{"n":4}' '' 0 \
	    rr-reassemble b1 b1 b2 b1 b2 b3 b2 b3 b4 b1 b4
	check $'{"n":1}\n{"n":3}\n{"n":4}' \
	    'gap: tab 0, batch 2 (lost)' 3 rr-reassemble b1 b3 b2 b4
	check $'{"n":4}' 'gap: tab 0, batches 1 to 3 (lost)' 3 rr-reassemble b4
	check '' '' 0 rr-reassemble /dev/null
	# A tab is none of another's business.
	{
		batch 1 1 '{"t":1}'
		batch 2 1 '{"t":2}'
		batch 1 2 '{"t":1}'
		batch 2 3 '{"t":2}'
		batch 1 2 '{"t":1}'
	} | rr-frame >tabs
	check $'{"t":1}\n{"t":2}\n{"t":1}\n{"t":2}' \
	    'gap: tab 2, batch 2 (lost)' 3 rr-reassemble tabs
	check $'{"t":1}\n{"t":1}' '' 0 rr-reassemble -t 1 tabs
	check '{"t":2}
{"t":2}' '' 3 rr-reassemble -q -t 2 tabs
	check '' '' 0 rr-reassemble -t 3 tabs
}

@test "rr-reassemble: who starts later misses nothing from before" {
	{
		batch 0 8 '{"n":8}'
		batch 0 10 '{"n":10}'
	} | rr-frame >in
	sequence 100 50 <in >late
	check $'{"n":8}\n{"n":10}' \
	    'gap: tab 0, batch 9 (lost), between records 100 and 101' 3 \
	    rr-reassemble late
	sequence 0 50 <in >whole
	check $'{"n":8}\n{"n":10}' \
	    'gap: tab 0, batches 1 to 7 (lost), before record 0
gap: tab 0, batch 9 (lost), between records 0 and 1' 3 rr-reassemble whole
	check ':batch tab=0 batch=8 seq=100 seqs=1 time=50
{"n":8}
:end
:gap tab=0 batch=9 cause=lost
:batch tab=0 batch=10 seq=101 seqs=1 time=60
{"n":10}
:end
:next seq=102' '' 3 rr-reassemble -dq late
}

@test "rr-reassemble: gaps that writers tell of" {
	{
		batch 0 1 '{"n":1}'
		lines_of ':gap tab=0 batch=2-3 cause=overflow events=40' \
		    ':gap tab=0 batch=2-3 cause=overflow events=40' \
		    ':gap tab=0 batch=4 cause=privacy events=2 within=1' \
		    ':gap tab=0 batch=4 cause=privacy events=2 within=1'
		batch 0 4 '{"n":4}'
		batch 0 4 '{"n":4}'
		lines_of ':gap tab=0 batch=4 cause=privacy events=2 within=1' \
		    ':gap tab=0 batch=4-6 cause=overflow' \
		    ':gap tab=0 batch=9 cause=filter within=1'
		batch 0 9 '{"n":9}'
	} | rr-frame >in
	check '{"n":1}
{"n":4}
{"n":9}' 'gap: tab 0, batches 2 to 3 (overflow)
gap: tab 0, events of batch 4 (privacy)
gap: tab 0, batches 5 to 6 (overflow)
gap: tab 0, batches 7 to 8 (lost)
gap: tab 0, events of batch 9 (filter)' 3 rr-reassemble in
	check ':batch tab=0 batch=1
{"n":1}
:end
:gap tab=0 batch=2-3 cause=overflow events=40
:gap tab=0 batch=4 cause=privacy events=2 within=1
:batch tab=0 batch=4
{"n":4}
:end
:gap tab=0 batch=5-6 cause=overflow
:gap tab=0 batch=7-8 cause=lost
:gap tab=0 batch=9 cause=filter within=1
:batch tab=0 batch=9
{"n":9}
:end' '' 3 rr-reassemble -dq in
}

@test "rr-reassemble: batches in parts, in any order, torn and repeated" {
	large 3500000 >big
	{
		echo ':batch tab=0 batch=1'
		cat big
		echo ':end'
		batch 0 2 '{"n":2}'
	} | rr-frame -z none >in
	pick 4 2 1 3 5 <in >mixed
	{
		cat big
		echo '{"n":2}'
	} >want
	rr-reassemble mixed | cmp - want
	pick 1 1 2 1 2 3 3 2 1 4 4 1 2 5 <in | rr-reassemble | cmp - want
	# Torn, and then sent again.
	pick 1 2 3 1 2 3 4 5 <in | rr-reassemble | cmp - want
	# Torn, and never sent again.
	pick 1 2 3 5 <in >torn
	check '{"n":2}' 'gap: tab 0, batch 1 (lost)' 3 rr-reassemble torn
	# Torn at the end: its writer may be at it still; or never again.
	pick 1 3 4 <in >end
	check '' 'tab 0, batch 1 is not complete: 3 of 4 parts are there' 0 \
	    rr-reassemble end
	lines_of ':fence set=stopped' ':stop {}' | rr-frame >stop
	check ':fence set=stopped
:stop {}
:gap tab=0 batch=1 cause=lost' \
	    'tab 0, batch 1 is not complete: 3 of 4 parts are there
gap: tab 0, batch 1 (lost)' 3 rr-reassemble -d end stop
	# Parts of two tabs, one among the other; and where to go on.
	{
		echo ':batch tab=9 batch=1'
		cat big
		echo ':end'
	} | rr-frame -z none >other
	{
		pick 1 2 <in
		pick 1 2 3 4 <other
		pick 3 4 <in
	} | sequence 10 1 >both
	rr-reassemble -d both | grep ^:[a-z] >d
	lines_of ':batch tab=9 batch=1 seq=12 seqs=4 next=10 time=21' :end \
	    ':batch tab=0 batch=1 seq=10 seqs=8 time=1' :end \
	    ':next seq=18' | diff - d
	# Torn and sent again: the records to read are all those in between.
	pick 1 2 1 2 3 4 5 <in | sequence 10 1 >again
	[ "$(rr-reassemble -d again | head -n 1)" = \
	    ':batch tab=0 batch=1 seq=10 seqs=6 time=1' ]
	sequence 10 1 <in | rr-reassemble -d | grep -o '^:b.*seqs=.' >d
	lines_of ':batch tab=0 batch=1 seq=10 seqs=4' \
	    ':batch tab=0 batch=2 seq=14 seqs=1' | diff - d
	pick 1 2 3 <in | sequence 5 1 tail >open
	check ':tail seq=5 time=21' \
	    'tab 0, batch 1 is not complete: 3 of 4 parts are there' 0 \
	    rr-reassemble -d open
	pick 1 2 3 <in | sequence 5 1 >open
	check ':next seq=5' '' 0 rr-reassemble -dq open
}

@test "rr-reassemble: too many torn batches take no memory" {
	local n
	# 200 of 4 parts would be 800 MiB.
	large 3500000 >big
	for n in {1..200}; do
		printf ':batch tab=%x batch=1\n' "$n"
		cat big
		echo :end
	done | rr-frame -z none >all
	# shellcheck disable=SC2046 # numbers
	pick $(seq 1 4 800) $(seq 2 4 800) $(seq 3 4 800) <all >torn
	status=0
	rss kib rr-reassemble torn >out 2>err || status=$?
	[ "$status" = 3 ] && [ ! -s out ]
	grep -q 'too many batches in parts wait' err
	grep -q 'gap: tab 1, batch 1 (lost)' err
	echo "# rss $(cat kib) KiB" >&3
	[[ $BUILD == *sanitize* ]] || (($(cat kib) < 180 * 1024))
}

@test "rr-reassemble: what is damaged is missing, unless it comes again" {
	local size at bytes
	batch 0 1 '{"n":1}' | rr-frame >b1
	batch 0 2 "$(large 300)" '{"n":2}' | rr-frame >b2
	batch 0 3 '{"n":3}' | rr-frame >b3
	size=$(wc -c <b2)
	rr-reassemble b2 -q >b2.lines || :
	# Any byte of the body, each turned into another.
	for ((at = size - 40; at < size; at++)); do
		{
			head -c "$at" b2
			tail -c +$((at + 1)) b2 | head -c 1 | tr '\0-\377' '\1-\377\0'
			tail -c +$((at + 2)) b2
		} >bad
		cmp -s bad b2 && fail 'nothing is damaged'
		check '{"n":1}
{"n":3}' 'a record (tab 0, batch 2) cannot be read: its checksum is wrong
gap: tab 0, batch 2 (lost)' 3 rr-reassemble b1 bad b3
	done
	rr-reassemble -q b1 bad b2 b3 >out
	{
		echo '{"n":1}'
		cat b2.lines
		echo '{"n":3}'
	} | cmp - out
	# At the end nothing follows that would show it.
	check '{"n":1}' \
	    'a record (tab 0, batch 2) cannot be read: its checksum is wrong
gap: tab 0, batch 2 (lost)' 3 rr-reassemble b1 bad
	# In a header: any byte, any value; never a crash, never a wrong line.
	for ((at = 8; at < 30; at++)); do
		for bytes in '\0' '\1' '\21' '\177' '\200' '\377'; do
			{
				head -c "$at" b2
				printf '%b' "$bytes"
				tail -c +$((at + 2)) b2
			} >bad
			status=0
			rr-reassemble -q b1 bad b3 >out || status=$?
			((status == 0 || status == 3 || status == 65))
			grep -vxFf b2.lines out | grep -vx '{"n":[13]}' &&
			    fail "byte $at, $bytes"
			:
		done
	done
}

@test "rr-reassemble: a zstd bomb is no batch, and takes no memory" {
	head -c 2000000000 /dev/zero | tr '\0' '\n' | zstd -q -19 >bomb
	(($(wc -c <bomb) < 1000000))
	with_body bomb >in
	status=0
	rss kib rr-reassemble -q in >out || status=$?
	[ "$status" = 3 ] && [ ! -s out ]
	(($(cat kib) < 65536)) || [[ $BUILD == *sanitize* ]]
	# One that lies about its size, one that says none, two in one.
	head -c 1000 /dev/zero | tr '\0' '\n' | zstd -q --no-content-size >some
	with_body some >in
	run -3 --separate-stderr rr-reassemble in
	[[ ${stderr_lines[0]} == *'its compression is damaged' ]]
	echo '{"n":1}' | zstd -q --stream-size=8 >one
	cat one one >two
	with_body two >in
	run -3 rr-reassemble in
	with_body one >in
	[ "$(rr-reassemble in)" = '{"n":1}' ]
}

# with_body FILE: prints a record of batch 1 of one event whose body, said to
# be packed, is the file.
with_body() {
	local sum n
	sum=$(checksum <"$1")
	n=$(wc -c <"$1")
	{
		printf '\x0a'
		varint $((2 + 19 - 2 + 1 + $(varint "$n" | wc -c) + n))
		printf '\x12\x11\x0a\x01r\x12\x0c\x11\x40\0\0\0\0\x01'
		printf '%b' "\\x${sum:0:2}\\x${sum:2:2}\\x${sum:4:2}\\x${sum:6:2}"
		printf '\x01\x1a'
		varint "$n"
		cat "$1"
	}
}

varint() {
	local n=$1
	while ((n >= 128)); do
		printf '%b' "\\x$(printf %02x $((n & 127 | 128)))"
		((n >>= 7))
	done
	printf '%b' "\\x$(printf %02x "$n")"
}

@test "rr-reassemble: a body brings in no directive and no odd line" {
	local body
	for body in ':stop {}\n' '{"a":1}\n:fence set=x\n' '{"a":1}' \
	    '{"a":1}\n{"a":2}\n' '' '\n' 'x\n'; do
		# shellcheck disable=SC2059 # it is a format
		printf "$body" >body
		zstd -q -f --stream-size="$(wc -c <body)" <body >packed
		with_body packed >in
		status=0
		rr-reassemble -d in >out 2>err || status=$?
		[ "$status" = 3 ] || fail "status $status for $body"
		echo ':gap tab=0 batch=1 cause=lost' | cmp - out
	done
}

@test "rr-reassemble: what a later version wrote is carried" {
	{
		batch 0 1 '{"n":1}'
		lines_of ':record head=1600000000000205 body=AAECAw==' \
		    ':record head=2fffff body=' \
		    ':record head=11c00000000003 body=QQ==' \
		    ':record head=11440000000004000000000001000000ff body=QQ==' \
		    ':record head=1900000000000000 body=QUI='
		batch 0 5 '{"n":5}'
	} >lines
	rr-frame lines >in
	check '{"n":1}
{"n":5}' 'gap: tab 0, batch 2 (newer)
gap: tab 0, batch 3 (newer)
gap: tab 0, batch 4 (newer)
4 records were written by a later version, and cannot be read' 3 \
	    rr-reassemble in
	rr-reassemble -dq in >d || :
	sed '/^:record head=\(16\|11\)/{s/^.*000\([2-4]\).*$/&\n:gap tab=0 batch=\1 cause=newer/}' \
	    lines >want
	grep -v '^:gap' d | diff - lines
	[ "$(grep -c '^:gap tab=0 batch=[234] cause=newer$' d)" = 3 ]
	# A copy holds them still, and says the same.
	rr-frame d | rr-reassemble -dq | cmp - d
	# To who knows them, what stands in for them is a repeat: it is behind.
	[ "$(grep -A1 head=16 d | tail -n 1)" = \
	    ':gap tab=0 batch=2 cause=newer' ]
}

@test "rr-reassemble: records of others are skipped, and counted" {
	batch 0 1 '{"n":1}' | rr-frame >in
	{
		printf '\x0a\x04\x1a\x02hi'
		printf '\x0a\x0a\x12\x06\x0a\x01x\x12\x01y\x1a\x00'
		# trim, of S2; an unknown field of the pipe
		printf '\x0a\x12\x12\x06\x12\x04trim\x1a\x08\0\0\0\0\0\0\0\1'
		printf '\xc2\x3f\x01z'
		cat in
	} >mixed
	check '{"n":1}' '2 records are not of a recording, and were skipped' 0 \
	    rr-reassemble mixed
	run -65 --separate-stderr bash -c \
	    'printf "%s\n" ":stream name=a" ":stream name=b" ":beat" |
	    rr-frame | rr-reassemble'
	[ "$stderr" = 'rr-reassemble: stdin: byte 4: records of more than one stream' ]
}

@test "rr-reassemble: cut off at any byte, it prints whole batches" {
	local n size status good
	{
		lines_of ':meta {}'
		batch 0 1 '{"n":1}'
		batch 0 2 '{"n":2}' '{"n":3}'
	} | rr-frame >in
	size=$(wc -c <in)
	good=" 0 $(pick 1 <in | wc -c) $(pick 1 2 <in | wc -c) $size "
	for ((n = 0; n <= size; n++)); do
		status=0
		head -c "$n" in | rr-reassemble >out 2>err || status=$?
		if [[ $good == *" $n "* ]]; then
			[ "$status" = 0 ] && [ ! -s err ]
		else
			[ "$status" = 65 ]
			grep -q '^rr-reassemble: stdin: byte [0-9]*: the input ends within a record$' err
		fi
		case $(tr -d '\n' <out) in
		'') ((n < $(pick 1 2 <in | wc -c))) ;;
		'{"n":1}') ((n < size)) ;;
		'{"n":1}{"n":2}{"n":3}') ((n == size)) ;;
		*) fail "cut at $n: $(cat out)" ;;
		esac
	done
	head -c 20 in >cut
	run -65 --separate-stderr rr-reassemble in cut
	[ "$stderr" = 'rr-reassemble: cut: byte 0: the input ends within a record' ]
}

@test "rr-reassemble: what are no records is refused" {
	local bytes
	for bytes in 'hello' '\0' '\x0b' '\x0a\xff\xff\xff\xff\xff' \
	    '\x0a\x81\x80\x80\x02' '\x0a\x02\x12\x05' '\x0a\x01\x80'; do
		run -65 --separate-stderr bash -c "printf '$bytes' | rr-reassemble"
		[[ $stderr == 'rr-reassemble: stdin: byte '[0-9]*': '* ]]
	done
	run -65 --separate-stderr rr-reassemble "$DATA/fixture-iframe.ndjson"
}

@test "rr-reassemble: prints at once what has come" {
	batch 0 1 '{"n":1}' | rr-frame >b1
	batch 0 2 '{"n":2}' | rr-frame >b2
	mkfifo pipe
	exec 8<>pipe
	rr-reassemble <pipe >out 3>&- 8>&- &
	pid=$!
	started+=("$pid")
	cat b1 >&8
	wait_until 10 grep -q '"n":1' out
	# Also before the rest of a record has come.
	{
		cat b2
		batch 0 3 '{"n":3}' | rr-frame | head -c 20
	} >&8
	wait_until 10 grep -q '"n":2' out
	exec 8>&-
	status=0
	wait "$pid" || status=$?
	[ "$status" = 65 ]
}

@test "rr-reassemble: a program picks, changes and tests" {
	{
		lines_of '{"type":4,"n":1.50}' '{"type":3,"n":2.50}' '"packed"'
	} >lines
	rr-frame lines >in
	check '{"type":3,"n":2.50}' 'the program failed on an event: Cannot index string with string "type"' 1 \
	    rr-reassemble -f 'select(.type == 3)' in
	check '{"type":3,"n":2.50}' '' 0 \
	    rr-reassemble -f '.type? == 3' in
	check '{"type":4,"n":1.50}
"packed"' '' 0 rr-reassemble \
	    -f 'if type == "object" and .type == 3 then null else . end' in
	check '{"type":4,"n":2.5}
{"type":3,"n":3.5}' 'the program failed on an event: Cannot index string with string "n"' 1 \
	    rr-reassemble -f '.n += 1' in
	check ':batch tab=0 batch=1
:end' '' 0 rr-reassemble -d -f empty in
	check '' 'the program failed on an event: the result is no object
the program failed on 3 events' 1 rr-reassemble -f 7 in
	echo '.type? == 3' >program
	check '{"type":3,"n":2.50}' '' 0 rr-reassemble -F program in
	run -78 rr-reassemble -f '(' in
	run -66 rr-reassemble -F nosuch in
}

@test "rr-reassemble: a program sees a line that is cut within an escape" {
	local body
	for body in '{"a":"\\\n' '{\\\n' '{"a":"\\ud83d\\\n' '{"\\u\n'; do
		# shellcheck disable=SC2059 # it is a format
		printf "$body" >body
		zstd -q -f --stream-size="$(wc -c <body)" <body >packed
		with_body packed >in
		[ "$(rr-reassemble in | wc -l)" = 1 ]
		run -1 --separate-stderr rr-reassemble -f . in
		[ "$output" = '' ]
		[[ $stderr == 'rr-reassemble: the program failed on an event: '* ]]
	done
}

@test "rr-reassemble: what a program says of an event is harmless on a terminal" {
	printf '{"x":"a\\u001b[2J\302\233m\302\240\303\233\177"}\n' | rr-frame >in
	check '' $'the program failed on an event: a?[2J\302?m\302\240\303\233?' 1 \
	    rr-reassemble -f 'error(.x)' in
}

@test "rr-reassemble: RePlaya's recordings" {
	local file
	for file in "$DATA"/*.ndjson; do
		replaya <"$file" >in
		rr-reassemble in | cmp - "$file"
		replaya 1000 <"$file" | sequence 0 | rr-reassemble | cmp - "$file"
		# As a recording of ours.
		rr-reassemble -d in | rr-frame -i | rr-reassemble | cmp - "$file"
	done
	echo '{"type":3, "timestamp": 1.0}' | replaya | sequence 7 100 >in
	check ':fence set=active seq=7 time=100
:meta seq=8 time=110 {"id":"session-x-0","status":"active"}
{"type":3, "timestamp": 1.0}
:beat tab=0 seq=10 time=130
:fence set=stopped seq=11 time=140
:meta seq=12 time=150 {"status":"stopped"}
:next seq=13' '' 0 rr-reassemble -d in
	check '' '' 0 rr-reassemble -t 1 in
}

@test "rr-reassemble: RePlaya's chunks, torn and mixed" {
	lines_of '{"a":"0123456789"}' '{"b":"0123456789"}' | replaya 8 >in
	# fence, metadata, 3 chunks, 3 chunks, heartbeat, fence, metadata
	pick 3 6 4 7 8 5 <in | rr-reassemble >out
	lines_of '{"b":"0123456789"}' '{"a":"0123456789"}' | cmp - out
	pick 3 4 6 7 8 <in >torn
	check '{"b":"0123456789"}' \
	    'gap: an event in chunks, from record 0: only 2 of 3 are there' 3 \
	    rr-reassemble torn
	pick 3 5 6 7 8 <in >torn
	check '{"b":"0123456789"}' \
	    'gap: an event in chunks, from record 0: only 1 of 3 are there
a record cannot be read: a chunk without the one before' 3 \
	    rr-reassemble torn
	# Who starts among them cannot know the first.
	pick 4 5 6 7 8 <in | sequence 50 >late
	check '{"b":"0123456789"}' '' 0 rr-reassemble late
}

@test "rr-reassemble: wrong use" {
	run -0 rr-reassemble --help
	[[ $output == 'usage: rr-reassemble '* ]]
	run -0 rr-reassemble --version
	[[ $output == 'rr-reassemble '[0-9]* ]]
	run -64 rr-reassemble -x
	run -64 rr-reassemble -t G </dev/null
	run -64 rr-reassemble -f . -F . </dev/null
	run -66 rr-reassemble nosuch
	run -1 --separate-stderr rr-reassemble .
	[ "$stderr" = 'rr-reassemble: cannot read .: Is a directory' ]
}

@test "rr-reassemble: a full disk, a reader that leaves, one that waits" {
	rr-frame "$DATA/gen-session-shop.ndjson" >in
	run -1 --separate-stderr bash -c 'rr-reassemble in >/dev/full'
	[ "$stderr" = 'rr-reassemble: cannot write to standard output: No space left on device' ]
	run --separate-stderr bash -c 'rr-reassemble in |
	    head -c 1 >/dev/null; echo "${PIPESTATUS[0]}"'
	[[ $output == 1 || $output == 141 ]]
	[ -z "$stderr" ]

	# Whoever does not read stops all before.
	yes '{"type":3}' | rr-frame -z none | rr-reassemble | sleep 60 3>&- &
	started+=("$!")
	wait_until 10 pgrep -x rr-frame -P $$
	pid=$(pgrep -nx rr-frame -P $$)
	stopped() {
		local before after
		before=$(sed -n 's/^rchar: //p' "/proc/$pid/io")
		sleep 0.2
		after=$(sed -n 's/^rchar: //p' "/proc/$pid/io")
		((before > 100000 && before == after))
	}
	wait_until 10 stopped
	(($(sed -n 's/^rchar: //p' "/proc/$pid/io") < 20000000))
	kill "$pid"
}

@test "the pair: into a pipe that another program made non-blocking" {
	local file=$DATA/gen-big-snapshot-docs.ndjson
	nonblocking() {
		perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK)
		    or die; exec @ARGV' "$@"
	}
	# A reader that comes late: the pipe is full by then.
	late() {
		sleep 0.3
		cat
	}
	nonblocking rr-frame -z none "$file" | late >rec
	nonblocking rr-reassemble rec | late | cmp - "$file"
	nonblocking rr-reassemble -f . rec | late | cmp - "$file"
	[ "${PIPESTATUS[*]}" = '0 0 0' ]
}

@test "the pair: a stage that is killed leaves whole lines" {
	local status n
	for n in 1 2 3 4 5; do
		{
			while :; do
				cat "$DATA/gen-session-shop.ndjson" || break
			done
		} 2>/dev/null | {
			rr-frame 3>&- &
			sleep "0.0$n"
			kill -KILL "$!"
			wait "$!" || :
		} | {
			status=0
			rr-reassemble >out 2>err || status=$?
			echo "$status" >status
		}
		[[ $(cat status) == 0 || $(cat status) == 65 ]]
		[ ! -s out ] || [ "$(tail -c 1 out)" = '' ]
		cat "$DATA/gen-session-shop.ndjson"{,} \
		    "$DATA/gen-session-shop.ndjson" >thrice
		head -c "$(wc -c <thrice)" out >first
		cmp -n "$(wc -c <first)" first thrice
	done
}

@test "the pair: 1 GB in bounded memory" {
	local bytes=0 size
	size=$(cat "$DATA"/*.ndjson | wc -c)
	repeat() {
		local i
		for ((i = 0; i < 1000000000; i += size)); do
			cat "$DATA"/*.ndjson
		done
	}
	repeat | rss frame rr-frame | rss reassemble rr-reassemble |
	    cmp - <(repeat)
	echo "# rss: rr-frame $(cat frame), rr-reassemble $(cat reassemble) KiB" >&3
	[[ $BUILD == *sanitize* ]] || (($(cat frame) < 64 * 1024))
	[[ $BUILD == *sanitize* ]] || (($(cat reassemble) < 32 * 1024))
}

@test "the pair: lines of 10 MB in bounded memory" {
	local n
	large 10000000 >line
	for n in {1..20}; do
		echo '{"type":4}'
		cat line
		echo '{"type":3}'
	done >in
	rss frame rr-frame in >rec
	rss reassemble rr-reassemble rec >out
	cmp in out
	echo "# rss: rr-frame $(cat frame), rr-reassemble $(cat reassemble) KiB" >&3
	[[ $BUILD == *sanitize* ]] || (($(cat frame) < 64 * 1024))
	[[ $BUILD == *sanitize* ]] || (($(cat reassemble) < 48 * 1024))
}
