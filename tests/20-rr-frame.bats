# rr-frame: lines, arrays and directives to records; where it cuts, what it
# refuses, what a program lets through.

load helper

PATH=$BUILD/tests:$PATH

# lines LINE...: prints lines.
lines_of() {
	printf '%s\n' "$@"
}

# bad STDERR LINE...: rr-frame must refuse the lines with this message.
bad() {
	local message=$1 status=0
	shift
	lines_of "$@" | rr-frame >bad.rec 2>bad.err || status=$?
	[ "$status" = 65 ] || fail "status $status for: $*"
	[ "$(cat bad.err)" = "rr-frame: $message" ] ||
	    fail "for: $*: $(cat bad.err)"
}

@test "rr-frame: every recording comes back, however it is cut and packed" {
	local file option
	for file in "$DATA"/*.ndjson; do
		for option in -z3 -znone -z19 -s1 -s1000 -n1 -n7 '-t ff' -b77; do
			# shellcheck disable=SC2086 # '-t ff' is two words
			rr-frame $option <"$file" | rr-reassemble -q >out || :
			cmp "$file" out
		done
	done
}

@test "rr-frame: the same records, whatever the pieces it reads" {
	local file=$DATA/gen-session-shop.ndjson size
	rr-frame <"$file" >want
	for size in 1 7 997 65537; do
		dd if="$file" bs=64k iflag=fullblock obs="$size" status=none |
		    rr-frame -w 3600000 | cmp - want
	done
	rr-frame "$file" | cmp - want
	rr-frame - <"$file" 2>err && fail '- is a file of that name'
	head -n 100 "$file" >a
	tail -n +101 "$file" >b
	cat a b | rr-frame | rr-reassemble >out
	rr-frame a b | rr-reassemble | cmp - out
}

@test "rr-frame: lines that are not the usual" {
	# No newline at the end: it gains one.
	printf '{"a":1}\n{"a":2}' | rr-frame | rr-reassemble >out
	lines_of '{"a":1}' '{"a":2}' | cmp - out
	# Empty lines are skipped; blanks behind an event are kept.
	printf '\n\n{"a":1} \t\r\n\n"x"\n' | rr-frame | rr-reassemble >out
	printf '{"a":1} \t\r\n"x"\n' | cmp - out
	[ -z "$(rr-frame </dev/null)" ]
	[ -z "$(printf '\n\n' | rr-frame)" ]
	# Whatever type and time are, they are carried.
	lines_of '{}' '{"type":"x","timestamp":"y"}' '{"timestamp":1.5e300}' \
	    '{"type":-1,"timestamp":-0.5}' '{"timestamp":1767225600000.75}' \
	    '{"type":256}' '{"timestamp":1e3,"timestamp":2E+3}' >in
	rr-frame <in | rr-reassemble -d >out
	sed '1d;$d' out | cmp - in
	[ "$(head -n 1 out)" = \
	    ':batch tab=0 batch=1 first=-1 last=268435454' ]
}

@test "rr-frame: type and time are exact in any notation" {
	local time want
	while read -r time want; do
		[ "$(echo "{\"timestamp\":$time}" | rr-frame |
		    rr-reassemble -d | head -n 1)" = \
		    ":batch tab=0 batch=1${want:+ first=$want last=$want}" ] ||
		    fail "$time is not $want"
	done <<-'EOT'
	1767225600000 1767225600000
	1767225600000.999999999999999999999 1767225600000
	-1767225600000.000000000000000000001 -1767225600001
	1.767e12 1767000000000
	17672256000009E-1 1767225600000
	0.00001767225600000e17 1767225600000
	140737488355327.9 140737488355327
	140737488355328
	-140737488355327 -140737488355327
	-140737488355327.1
	1e400
	0e999999999999999999999 0
	-0.0 0
	0.0000001e7 1
	9e-99999999999999999999 0
	-9e-99999999999999999999 -1
	EOT
	[ "$(lines_of '{"type":4.0}' '{"\u0074ype":0.2e1}' | rr-frame |
	    rr-reassemble -d | head -n 1)" = ':batch tab=0 batch=1 flags=full' ]
}

@test "rr-frame: one JSON array is as good as lines" {
	local file
	for file in "$DATA"/*.ndjson; do
		{
			printf '['
			paste -sd, "$file"
			printf ' ]\n\n'
		} >array
		rr-frame array | rr-reassemble | cmp - "$file"
		dd if=array bs=64k iflag=fullblock obs=4099 status=none |
		    rr-frame | rr-reassemble | cmp - "$file"
	done
	# Also on many lines: nothing but the line ends is lost.
	jq -s . "$DATA/real-hogflix-four-pages.ndjson" | rr-frame |
	    rr-reassemble >out
	jq -c . out | cmp - <(jq -c . "$DATA/real-hogflix-four-pages.ndjson")
	printf '[{"a":\n  [1, \t\n 2 ]}\r\n\n, "x y"]' | rr-frame |
	    rr-reassemble >out
	lines_of '{"a":[1, 	2 ]}' '"x y"' | cmp - out
	[ -z "$(printf '[ ]' | rr-frame)" ]
	# Several files, each as it is.
	echo '{"a":1}' >a
	echo '[{"a":2}]' >b
	rr-frame a b a | rr-reassemble >out
	lines_of '{"a":1}' '{"a":2}' '{"a":1}' | cmp - out
}

@test "rr-frame: an array of long events, in pieces of any size" {
	local n=5001 i
	{
		printf '[{"x":"'
		head -c 50000000 /dev/zero | tr '\0' a
		printf '"},\n{"x":"'
		head -c 30000000 /dev/zero | tr '\0' b
		printf '"}]'
	} >array
	# So that it looks at the first again when there is twice as much. (Should
	# the pieces run together, there is less to be seen.)
	{
		head -c "$n" array
		for ((i = n - 1; n < 41000000; n += i, i *= 2)); do
			read -rt 0.03 <> <(:) || :
			tail -c "+$((n + 1))" array | head -c "$i"
		done
		tail -c "+$((n + 1))" array
	} | rr-frame -z none | rr-reassemble >lines
	tr -d '[]' <array | sed 's/,$//' | cmp - <(head -c -1 lines)
}

@test "rr-frame: a bad line is named, and what is before it is kept" {
	run -65 --separate-stderr bash -c \
	    'printf "%s\n" "{\"a\":1}" "{\"a\":2}" "{\"a\":01}" "{}" |
	    rr-frame >rec'
	# shellcheck disable=SC2154 # run sets it
	[ "$stderr" = "rr-frame: stdin:3:7: no ',' or '}'" ]
	rr-reassemble rec >out
	lines_of '{"a":1}' '{"a":2}' | cmp - out

	printf '{"a":1}\nx\n' >file
	run -65 --separate-stderr rr-frame file
	[ "$stderr" = 'rr-frame: file:2:1: no event: not an object or a string' ]

	bad 'stdin:1:1: no event: not an object or a string' ' {}'
	bad 'stdin:1:1: no event: not an object or a string' '17'
	bad 'stdin:2:3: more behind the value' '{}' '{}{}'
	bad 'stdin:1:3: the value is not complete' '{"'
	bad 'stdin:1:2: a key is not in quotes' '{a:1}'
	bad "stdin:1:6: no ':' behind a key" '{"a" 1}'
	bad "stdin:1:8: no ',' or ']'" '{"a":[1}'
	bad 'stdin:1:6: no JSON value' '{"a":,}'
	bad 'stdin:1:9: no JSON value' '{"a":[1,]}'
	bad 'stdin:1:9: no JSON value' '{"a":nulL}'
	bad 'stdin:1:7: a digit is missing' '{"a":-}'
	bad 'stdin:1:8: a digit is missing' '{"a":1.}'
	bad 'stdin:1:8: a digit is missing' '{"a":1e}'
	bad 'stdin:1:8: no such escape' '{"a":"\x"}'
	bad 'stdin:1:10: \u is not followed by four hex digits' '{"a":"\u0"}'
	bad 'stdin:1:7: a control character inside a string' $'{"a":"\t"}'
	bad 'stdin:1:7: not UTF-8' $'{"a":"\x80"}'
	bad 'stdin:1:8: not UTF-8' $'{"a":"\xc3("}'
	bad 'stdin:1:7: not UTF-8' $'{"a":"\xc0\x80"}'
	bad 'stdin:1:8: not UTF-8' $'{"a":"\xed\xa0\x80"}'
	bad 'stdin:1:8: not UTF-8' $'{"a":"\xf4\x90\x80\x80"}'
}

@test "rr-frame: a bad array is named by its place" {
	local text want
	while IFS=$'\t' read -r text want; do
		printf '%b' "$text" >array
		run -65 --separate-stderr rr-frame array
		[ "$stderr" = "rr-frame: array:$want" ] ||
		    fail "for $text: $stderr"
	done <<-'EOT'
	[{},]	1:5: no event: not an object or a string
	[{}\n {}]	2:2: no ',' or ']'
	[{},\n {"a":x}]	2:7: no JSON value
	[{}	1:4: the array has no end
	[{},\n{"a":	2:6: the value is not complete
	[{}]\n\n x	3:2: more behind the array
	[1]	1:2: no event: not an object or a string
	[{"a":\n\n  "b}]	3:7: the value is not complete
	EOT
	printf '[{"a":1},{"a":2},3]' >array
	rr-frame array >rec 2>err && fail 'it was taken'
	[ "$(rr-reassemble rec | wc -l)" = 2 ]
}

@test "rr-frame: nested 512 deep and not deeper" {
	local n
	for n in 512 513; do
		{
			printf '{"a":%.0s' $(seq "$n")
			printf 1
			printf '}%.0s' $(seq "$n")
			echo
		} >"deep$n"
	done
	rr-frame deep512 | rr-reassemble | cmp - deep512
	run -65 --separate-stderr rr-frame deep513
	[ "$stderr" = 'rr-frame: deep513:1:2561: nested more than 512 deep' ]
}

@test "rr-frame: a NUL is no byte of a line" {
	printf '{"a":"x\0y"}\n' >nul
	run -65 --separate-stderr rr-frame nul
	[ "$stderr" = \
	    'rr-frame: nul:1:8: a control character inside a string' ]
	printf '{"a":1}\0\n' >nul
	run -65 --separate-stderr rr-frame nul
	[ "$stderr" = 'rr-frame: nul:1:8: more behind the value' ]
}

@test "rr-frame: a line of 64 MiB less one byte is the longest" {
	local n=$((64 * 1024 * 1024 - 1))
	{
		printf '{"a":"'
		head -c $((n - 8)) /dev/zero | tr '\0' x
		printf '"}\n'
	} >long
	[ "$(wc -c <long)" = $((n + 1)) ]
	rr-frame long >rec
	rr-reassemble rec | cmp - long
	rr-frame -z none long | rr-reassemble | cmp - long
	sed 's/^{"a":"/&x/' long >longer
	run -65 --separate-stderr rr-frame longer
	[ "$stderr" = "rr-frame: longer:1:$((n + 1)): the line is too long" ]
	# A Meta event and such a snapshot are not kept together by force.
	{
		echo '{"type":4}'
		cat long
	} >both
	rr-frame both | rr-reassemble | cmp - both
}

@test "rr-frame: batches are cut at a size, a count and before a Meta event" {
	local meta='{"type":4}' full='{"type":2}' other='{"type":3}'
	lines_of "$other" "$other" "$other" "$other" "$other" | rr-frame -n 2 |
	    rr-reassemble -d | grep -c '^:batch' >n
	[ "$(cat n)" = 3 ]
	# 11 bytes each.
	lines_of "$other" "$other" "$other" "$other" "$other" |
	    rr-frame -s 33 | rr-reassemble -d | grep -c '^:batch' >n
	[ "$(cat n)" = 2 ]
	lines_of "$other" "$meta" "$full" "$other" "$meta" "$meta" "$full" |
	    rr-frame -n 1 | rr-reassemble -d >out
	lines_of ':batch tab=0 batch=1' "$other" :end \
	    ':batch tab=0 batch=2 flags=full' "$meta" "$full" :end \
	    ':batch tab=0 batch=3 snap=1' "$other" :end \
	    ':batch tab=0 batch=4 snap=1 flags=full' "$meta" "$meta" "$full" \
	    :end | cmp - out
	# A snapshot that does not follow its Meta event is no place to start.
	lines_of "$meta" "$other" "$full" | rr-frame | rr-reassemble -d >out
	[ "$(head -n 1 out)" = ':batch tab=0 batch=1' ]
}

@test "rr-frame: counts records to say where the last snapshot is" {
	local meta='{"type":4}' full='{"type":2}' other='{"type":3}'
	head -c 3000000 /dev/urandom | base64 -w0 |
	    sed 's/.*/{"type":2,"data":"&"}/' >big
	echo >>big
	{
		lines_of ':meta {}' "$other" "$meta"
		cat big
		lines_of ':beat tab=0' "$other" ':batch tab=5 batch=1' \
		    "$other" :end ':batch tab=5 batch=2' "$meta" "$full" :end \
		    ':gap tab=5 batch=3 cause=overflow' "$meta" "$full" \
		    ':batch tab=5 batch=4 snap=1' :end
	} | rr-frame -p 10 | sequence 10 | rr-reassemble -dq |
	    grep -o '^:[b-g].* time' >out || :
	# The big one has three parts.
	lines_of ':batch tab=0 batch=1 seq=11 seqs=1 time' \
	    ':batch tab=0 batch=2 seq=12 seqs=3 time' \
	    ':beat tab=0 snap=12 seq=15 time' \
	    ':batch tab=0 batch=3 snap=12 seq=16 seqs=1 time' \
	    ':batch tab=5 batch=1 seq=17 seqs=1 time' \
	    ':batch tab=5 batch=2 seq=18 seqs=1 time' \
	    ':gap tab=5 batch=3 cause=overflow seq=19 time' \
	    ':batch tab=0 batch=4 snap=12 seq=20 seqs=1 time' \
	    ':batch tab=5 batch=4 snap=18 seq=21 seqs=1 time' | diff - out
}

@test "rr-frame: errors are marked" {
	local event flags
	while read -r flags event; do
		[ "$flags" != none ] || flags=''
		[ "$(echo "$event" | rr-frame | rr-reassemble -d |
		    head -n 1)" = ":batch tab=0 batch=1${flags:+ flags=$flags}" ] ||
		    fail "$event"
	done <<-'EOT'
	error {"type":6,"data":{"plugin":"rrweb/console@1","payload":{"level":"error","payload":[]}}}
	error {"type":6,"data":{"payload":{"level":"assert"},"plugin":"rrweb/console@1"}}
	error {"data": {"tag" : "rr.error" }, "type" : 5}
	error {"type":5,"data":{"tag":"rr\u002eerror"}}
	none {"type":6,"data":{"plugin":"rrweb/console@1","payload":{"level":"warn"}}}
	none {"type":6,"data":{"plugin":"other","payload":{"level":"error"}}}
	none {"type":5,"data":{"tag":"rr.errors"}}
	none {"type":5,"data":{"x":{"tag":"rr.error"}}}
	none {"type":3,"data":{"tag":"rr.error"}}
	none {"type":5,"data":"rr.error"}
	none {"type":5}
	EOT
}

@test "rr-frame: a live pipe flows" {
	mkfifo pipe
	exec 8<>pipe
	rr-frame -w 100 <pipe >out 2>err 3>&- 8>&- &
	pid=$!
	started+=("$pid")
	wait_until 10 test -e "/proc/$pid"
	echo '{"a":1}' >&8
	wait_until 10 test -s out
	[ "$(rr-reassemble out)" = '{"a":1}' ]
	# A Meta event waits for its snapshot, however long that takes.
	echo '{"type":4}' >&8
	echo ':beat' >&8
	wait_until 10 bash -c 'rr-reassemble -d out | grep -q :beat'
	echo '{"type":4}' >&8
	sleep 0.5
	echo '{"type":2}' >&8
	wait_until 10 bash -c 'rr-reassemble -d out | grep -q full'
	[ "$(rr-reassemble -d out | tail -n 4 | head -n 1)" = \
	    ':batch tab=0 batch=3 flags=full' ]
	exec 8>&-
	wait "$pid"
}

@test "rr-frame: directives become fields of the pipe" {
	lines_of ':stream name=a/b%20%c3%a9' ':create {"x": 1}' ':create' \
	    ':fence use= set=active' ':fence use=active' ':match seq=7' \
	    ':meta {"k":1} ' ':beat tab=a' ':stop {}' ':end token=%00' ':end' \
	    ':probe token=t' | rr-frame | protoc --decode_raw |
	    grep -v '    ' | tr -d '\n ' >out
	[ "$(cat out)" = '1000:"a/b\303\251"1002:"{\"x\":1}"1002:""3:""1{2{}3:"active"}3:"active"2:71{2{}3:"{\"k\":1}"}1{2{}}1{2{}3:"{}"}1001:"\000"1003:"t"' ] ||
	    fail "$(cat out)"
}

@test "rr-frame: directives that are wrong are refused" {
	local why
	bad "stdin:1:1: a directive's name is not in lower-case letters" ':'
	bad "stdin:1:1: a directive's word is not KEY=VALUE" ':end x'
	bad 'stdin:1:1: no directive that rr-frame takes' ':ack token=x seq=1'
	bad 'stdin:1:1: no directive that rr-frame takes' ':batches'
	bad 'stdin:2:1: a directive within a batch' ':batch batch=1' ':beat'
	bad 'stdin:2:1: a directive within a batch' ':batch batch=1' \
	    ':batch batch=2'
	bad 'stdin:1:1: batch= must be 1 to 268435455' ':batch tab=0'
	bad 'stdin:1:1: batch= must be 1 to 268435455' ':batch tab=0 batch=0'
	bad 'stdin:1:1: batch= must be 1 to 268435455' \
	    ':batch tab=0 batch=268435456'
	bad 'stdin:1:1: tab=: a tab is not 1 to 8 lower-case hex digits' \
	    ':batch tab=G batch=1'
	bad 'stdin:1:1: snap=: a number is missing or out of its range' \
	    ':batch batch=1 snap=268435456'
	bad 'stdin:1:1: JSON, which this directive does not take' ':beat {}'
	bad 'stdin:1:1: a JSON object is missing' ':meta'
	bad "stdin:1:13: no ',' or '}'" ':meta {"a":01}'
	bad 'stdin:1:9: more behind the value' ':meta {}{}'
	bad 'stdin:1:1: token=: empty' ':end token='
	bad 'stdin:1:1: token=: a value is too long' \
	    ":end token=$(printf 'x%.0s' {1..65})"
	bad 'stdin:1:1: set= or use= is missing' ':fence'
	bad 'stdin:1:1: set=: a value is too long' \
	    ":fence set=$(printf 'x%.0s' {1..37})"
	bad 'stdin:1:1: name=: missing' ':stream'
	bad 'stdin:1:1: name= is empty or holds a NUL' ':stream name='
	bad 'stdin:1:1: name= is empty or holds a NUL' ':stream name=a%00'
	bad 'stdin:1:1: seq= must be a number' ':match seq=-1'
	bad 'stdin:1:1: cause=: missing' ':gap tab=0 batch=1'
	bad 'stdin:1:1: cause= is not in lower-case letters' \
	    ':gap tab=0 batch=1 cause=%22'
	bad 'stdin:1:1: batch= must be N or N-M, 1 to 268435455' \
	    ':gap tab=0 batch=3-2 cause=lost'
	bad 'stdin:1:1: within=1 is of one batch' \
	    ':gap tab=0 batch=2-3 cause=lost within=1'
	# No line can bring in a record that we would not write.
	for why in 11 1100 110000000000010000000000 14000000000000 ''; do
		bad 'stdin:1:1: head=: not of an unknown kind' \
		    ":record head=$why body="
	done
	bad 'stdin:1:1: body=: missing' ':record head=18000000000000'
	run -65 --separate-stderr bash -c 'echo ":batch batch=1" | rr-frame'
	[ "$stderr" = 'rr-frame: the input ends within a batch' ]
}

@test "rr-frame: a batch that is given is whole or not there" {
	lines_of ':batch tab=0 batch=1' '{"a":1}' :end \
	    ':batch tab=0 batch=2' '{"a":2}' 'bad' >in
	run -65 --separate-stderr bash -c 'rr-frame in >rec'
	[ "$(rr-reassemble rec)" = '{"a":1}' ]
	# One without events is there too, or its number would be missing.
	lines_of ':batch tab=0 batch=1' :end ':batch tab=0 batch=2' '{}' :end |
	    rr-frame | rr-reassemble -d >out
	lines_of ':batch tab=0 batch=1' :end ':batch tab=0 batch=2' '{}' :end |
	    cmp - out
	# It is never cut, and holds at most 16383 events.
	{
		echo ':batch tab=0 batch=1'
		yes '{"type":4}' | head -n 16383
	} >most
	{
		cat most
		echo :end
	} | rr-frame -n 1 -s 1 | rr-reassemble -d >out
	[ "$(wc -l <out)" = 16385 ]
	{
		cat most
		lines_of '{}' :end
	} >too-many
	run -65 --separate-stderr rr-frame too-many
	[ "$stderr" = 'rr-frame: too-many:16385:1: a batch of more than 16383 events or 67108864 bytes' ]
}

@test "rr-frame: plain events go on behind the numbers that are given" {
	lines_of '{"a":1}' ':batch tab=0 batch=7' '{"a":7}' :end '{"a":8}' \
	    ':gap tab=0 batch=9-11 cause=overflow' '{"a":12}' \
	    ':batch tab=1 batch=99' :end '{"a":13}' | rr-frame -b 3 |
	    rr-reassemble -dq >out || :
	[ "$(grep -o 'tab=0 batch=[0-9]*' out | tr '\n' ' ')" = 'tab=0 batch=1 tab=0 batch=3 tab=0 batch=4 tab=0 batch=7 tab=0 batch=8 tab=0 batch=9 tab=0 batch=12 tab=0 batch=13 ' ] ||
	    fail "$(cat out)"
	# A number that is given again does not make those behind it repeats.
	lines_of '{"a":1}' '{"type":4}' ':batch tab=0 batch=1' '{"a":1}' :end \
	    '{"a":3}' | rr-frame | rr-reassemble >out
	lines_of '{"a":1}' '{"type":4}' '{"a":3}' | diff - out
}

@test "rr-frame: -i leaves out what steers, -m takes nothing but batches" {
	lines_of ':fence use=x set=active' ':create' ':stream name=evil' \
	    ':meta {}' ':batch tab=0 batch=1' '{"a":1}' ':end token=t' \
	    ':match seq=9' ':probe token=p' ':beat tab=0' ':stop {}' '{"a":2}' \
	    ':tail seq=1 time=2' ':next seq=1' >in
	rr-frame -i in >rec
	rr-reassemble -d rec >out
	lines_of ':meta {}' ':batch tab=0 batch=1' '{"a":1}' :end \
	    ':beat tab=0' ':batch tab=0 batch=2' '{"a":2}' :end | cmp - out
	[ "$(protoc --decode_raw <rec | grep -c '^[^1 }]')" = 0 ]

	lines_of ':stream name=s' ':fence set=active' '{"a":1}' >in
	run -65 --separate-stderr rr-frame -m in
	[ "$stderr" = 'rr-frame: in:3:1: an event outside of a batch' ]
	run -64 rr-frame -i -m
}

@test "rr-frame: -m counts no records, and says what it is told" {
	lines_of ':stream name=s' ':batch tab=0 batch=1' '{"type":4}' \
	    '{"type":2}' :end ':batch tab=0 batch=2' '{"a":1}' :end \
	    ':batch tab=0 batch=3 snap=44' '{"a":1}' :end \
	    ':beat tab=0 snap=44' ':end token=1' >in
	rr-frame -m in | rr-reassemble -d >m
	grep -v '^[{:]e\|^{' m >out
	lines_of ':batch tab=0 batch=1 flags=full' ':batch tab=0 batch=2' \
	    ':batch tab=0 batch=3 snap=44' ':beat tab=0 snap=44' | cmp - out
	# The same without -m, as soon as a stream is named.
	rr-frame in | rr-reassemble -d | cmp - m
}

@test "rr-frame: -m writes a unit once it is complete" {
	mkfifo pipe
	exec 8<>pipe
	rr-frame -m <pipe >out 3>&- 8>&- &
	pid=$!
	started+=("$pid")
	lines_of ':stream name=s' ':batch batch=1' '{"a":1}' :end >&8
	sleep 0.3
	[ ! -s out ] || ! protoc --decode_raw <out | grep -q '^1 '
	echo ':end token=x' >&8
	wait_until 10 bash -c 'protoc --decode_raw <out | grep -q 1001:'
	exec 8>&-
	wait "$pid"
}

@test "rr-frame: a program keeps, changes and drops events" {
	local file
	# What it does not touch keeps its text, to the last digit and blank.
	for file in "$DATA"/*.ndjson; do
		[[ $file != *packed* ]] || continue
		rr-frame -f . "$file" | rr-reassemble | cmp - "$file"
		rr-frame -f 'select(.type == 3)' "$file" | rr-reassemble >out
		# jq itself stops at half a surrogate pair.
		sed 's/\\u[dD][89a-fA-F]../\\ufffd/g' "$file" |
		    jq '.type == 3' | paste -d ' ' - "$file" |
		    sed -n 's/^true //p' | cmp - out
	done
	echo '{"type":3,"n":1.0000000000000000001, "s":"\ud800"}' >in
	rr-frame -f 'select(.type == 3)' in | rr-reassemble | cmp - in
	[ "$(rr-frame -f '.n = 2 | .s = "x"' in | rr-reassemble)" = \
	    '{"type":3,"n":2,"s":"x"}' ]
	# Its type and time count, not those that were.
	[ "$(lines_of '{"type":3,"timestamp":5}' '{"type":2}' |
	    rr-frame -f 'if .timestamp then .type = 4 | .timestamp = 7
	    else . end' | rr-reassemble -d | head -n 1)" = \
	    ':batch tab=0 batch=1 first=7 last=7 flags=full' ]
	# jq knows no half surrogates; that is no reason to lose an event.
	printf '%s\n' '{"s":"\ud83d x \ude00 \ud83d\ude00 \\ud83d"}' >in
	rr-frame -f . in | rr-reassemble | cmp - in
	rr-frame -f '.a = 1' in | rr-reassemble >out
	printf '{"s":"\xef\xbf\xbd x \xef\xbf\xbd 😀 \\\\ud83d","a":1}\n' |
	    cmp - out
	# A batch that is given keeps its number when all in it is dropped.
	lines_of ':batch tab=0 batch=1' '{}' :end >in
	rr-frame -f empty in | rr-reassemble -d >out
	lines_of ':batch tab=0 batch=1' :end | cmp - out
	lines_of '{}' '{}' | rr-frame -f empty >rec
	[ ! -s rec ]
}

@test "rr-frame: no event gets past a program that fails on it" {
	local program
	{
		lines_of '{"type":3,"secret":1}' '"secret"' '{"secret":[]}'
		printf '{"secret":%s1%s}\n' "$(printf '[%.0s' {1..300})" \
		    "$(printf ']%.0s' {1..300})"
	} >in
	for program in 'error("x")' '.secret.x.y' '., .' 'repeat(.)' halt \
	    halt_error 'input' '.secret' '[.]' '"x"' 'null' 'true' \
	    '.secret|tojson' 'def f: .a = f; 1' '., error("x")' \
	    '[limit(2000; repeat(1))] |
	    reduce .[] as $x ({secret:1}; {a: .})' 'tojson|fromjson|.secret' \
	    'if type == "object" then error else . end' 'debug|error'; do
		rr-frame -f "$program" in >rec 2>err
		grep -q 'batch 1: the program failed on 4 events' err ||
		    fail "$program: $(cat err)"
		! grep -q secret err || fail "$program: $(cat err)"
		rr-reassemble -dq rec >out && fail 'no gap'
		lines_of ':gap tab=0 batch=1 cause=filter events=4 within=1' \
		    ':batch tab=0 batch=1' :end | diff - out
		! grep -q secret rec
	done
	# Only one that fails is missing.
	lines_of '{"a":1}' '{"a":"x"}' '{"a":3}' |
	    rr-frame -v -f 'if .a + 0 > 0 then . else empty end' 2>err |
	    rr-reassemble -dq >out || :
	lines_of ':gap tab=0 batch=1 cause=filter events=1 within=1' \
	    ':batch tab=0 batch=1' '{"a":1}' '{"a":3}' :end | cmp - out
	grep -q 'left out: string ("x") and number (0) cannot be added' err
}

@test "rr-frame: a program that is wrong, or is not there" {
	run -78 --separate-stderr rr-frame -f '.a | (' </dev/null
	[[ $stderr == 'rr-frame: the program does not compile: jq: error: '* ]]
	run -78 rr-frame -f 'nosuch' </dev/null
	run -78 rr-frame -f 'import "x" as x; .' </dev/null
	run -66 rr-frame -F nosuch </dev/null
	head -c 1100000 /dev/zero | tr '\0' ' ' >large
	run -78 rr-frame -F large </dev/null
	echo . >program
	run -64 rr-frame -F program -f . </dev/null
	echo '{}' | rr-frame -F program | rr-reassemble >out
	[ "$(cat out)" = '{}' ]
}

@test "rr-frame: wrong use" {
	local option
	run -0 rr-frame --help
	[[ $output == 'usage: rr-frame '* ]]
	run -0 rr-frame --version
	[[ $output == 'rr-frame '[0-9]* ]]
	run -64 rr-frame -x
	for option in -b0 -b268435456 -bx -n0 -n16384 -p-1 -s0 -s67108865 -tG \
	    -t '-t123456789' -w-1 -z0 -z20 -zx; do
		run -64 rr-frame "$option" </dev/null
	done
	run -64 script -qec 'rr-frame </dev/null' /dev/null
	[[ $output == *'not for a terminal'* ]]
	echo '{"a":1}' >a
	run -66 --separate-stderr bash -c 'rr-frame a nosuch >rec'
	[ "$(rr-reassemble rec)" = '{"a":1}' ]
	run -1 --separate-stderr rr-frame .
	[[ $stderr == *'Is a directory' ]]
}

@test "rr-frame: a full disk, a reader that leaves, one that waits" {
	run -1 --separate-stderr bash -c \
	    'rr-frame "$DATA/gen-session-shop.ndjson" >/dev/full'
	[ "$stderr" = 'rr-frame: cannot write to standard output: No space left on device' ]
	run -1 --separate-stderr bash -c \
	    'rr-frame -z none "$DATA/gen-big-snapshot-docs.ndjson" >/dev/full'
	[ "$stderr" = 'rr-frame: cannot write to standard output: No space left on device' ]
	# A file that is opened does not become standard output.
	run -1 --separate-stderr bash -c \
	    'rr-frame "$DATA/gen-session-shop.ndjson" >&-'
	[ "$stderr" = 'rr-frame: cannot write to standard output: Bad file descriptor' ]
	# By status or signal, and without a word.
	run --separate-stderr bash -c 'yes "{}" 2>/dev/null |
	    rr-frame | head -c 1 >/dev/null; echo "${PIPESTATUS[1]}"'
	[[ $output == 1 || $output == 141 ]]
	[ -z "$stderr" ]
	# As services have it.
	run --separate-stderr bash -c 'trap "" PIPE; yes "{}" 2>/dev/null |
	    rr-frame | head -c 1 >/dev/null; echo "${PIPESTATUS[1]}"'
	[ "$output$stderr" = 1 ]
	# While nothing comes in, too.
	mkfifo in out
	exec 8<>in 9<>out
	rr-frame <in >out 3>&- 8>&- 9>&- &
	pid=$!
	started+=("$pid")
	exec 9<&-
	wait_until 10 gone "$pid"
	exec 8<&-

	# Whoever does not read stops who writes.
	yes '{"type":3}' | rr-frame -z none | sleep 60 3>&- &
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
