# sse-bridge by itself: as a filter, and as a server of files and of commands
# that are written here.

load helper

id=0123456789abcdef0123fghj0

# serve OPTION...: starts it on a free port, and sets pid, at and log.
serve() {
	start sse-bridge -v -l 127.0.0.1:0 "$@"
	log=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on' "$log"
	at=http://$(sed -n 's/.*listening on //p' "$log")
}

# route NAME: makes stdin, a script, the command of a route.
route() {
	mkdir -p routes
	{
		echo '#!/bin/bash'
		cat
	} >"routes/$1"
	chmod +x "routes/$1"
}

# answer CURL'S ARGUMENTS: the status and the body, on one line.
answer() {
	local code
	: >body
	code=$(curl -s -o body -w '%{http_code}' "$@") || :
	printf '%s %s' "$code" "$(<body)"
}

# whole: of the messages on stdin those that are complete.
whole() {
	awk '{ m = m $0 "\n" } $0 == "" { printf "%s", m; m = "" }'
}

# has FILE TEXT
has() {
	grep -qF -- "$2" "$1"
}

# ---- the filter ----

@test "filter: a session of each kind of line, byte for byte" {
	cat >in <<-'EOF'
	:fence set=active seq=0 time=5
	:meta seq=1 time=5 {"url":"https://shop.example/"}
	:batch tab=0 batch=1 seq=2 seqs=3 time=17 flags=full
	{"type":4,"data":{}}
	"packed"

	:end
	:batch tab=a batch=7 seq=3 seqs=1 next=2 time=18
	:end
	:gap tab=0 batch=2-3 cause=lost
	:gap tab=0 batch=4 seq=6 time=20 cause=privacy events=2 within=1
	:beat tab=0 seq=7 time=21
	{"a":1}
	{"b":2}
	:record seq=8 time=22 head=1900 body=aGk=
	:fence set=stopped seq=9 time=23
	:stop seq=10 time=23 {"reason":"explicit"}
	:tail seq=11 time=23
	EOF
	cat >expected <<-'EOF'
	event: fence
	data: :fence set=active seq=0 time=5
	id: 1

	event: meta
	data: :meta seq=1 time=5 {"url":"https://shop.example/"}
	id: 2

	event: batch
	data: :batch tab=0 batch=1 seq=2 seqs=3 time=17 flags=full
	data: {"type":4,"data":{}}
	data: "packed"
	id: 5

	event: batch
	data: :batch tab=a batch=7 seq=3 seqs=1 next=2 time=18
	id: 2

	event: gap
	data: :gap tab=0 batch=2-3 cause=lost

	event: gap
	data: :gap tab=0 batch=4 seq=6 time=20 cause=privacy events=2 within=1
	id: 7

	event: beat
	data: :beat tab=0 seq=7 time=21
	id: 8

	event: events
	data: {"a":1}
	data: {"b":2}

	event: record
	data: :record seq=8 time=22 head=1900 body=aGk=
	id: 9

	event: fence
	data: :fence set=stopped seq=9 time=23
	id: 10

	event: stop
	data: :stop seq=10 time=23 {"reason":"explicit"}
	id: 11

	event: tail
	data: :tail seq=11 time=23
	id: 11

	EOF
	sse-bridge <in >out
	cmp out expected
}

@test "filter: the data of every recording are its events" {
	local file
	for file in "$DATA"/*.ndjson; do
		sse-bridge <"$file" | sed -n 's/^data: //p' | cmp - "$file"
	done
}

@test "filter: CR cannot end a line of a message, U+2028 need not" {
	printf '{"a":\r1}\r\n{"b":"\xe2\x80\xa8"}\n' | sse-bridge >out
	printf 'event: events\ndata: {"a": 1} \ndata: {"b":"\xe2\x80\xa8"}\n\n' |
		cmp - out
}

@test "filter: a message is there while the input goes on" {
	mkfifo in
	start sh -c 'exec sse-bridge <in'
	exec 7>in
	printf ':batch tab=0 batch=1\n{"n":1}\n:end\n' >&7
	wait_until 5 has "$pid.out" '{"n":1}'
	printf '{"n":2}\n' >&7
	wait_until 5 has "$pid.out" '{"n":2}'
	exec 7>&-
	ended "$pid"
}

@test "filter: what it cannot take is named with its place" {
	printf ':beat\n{"a":1}\nhello\n{"b":1}\n' >in
	run -65 --separate-stderr sse-bridge <in
	[ "$stderr" = 'sse-bridge: cannot take line 3 of standard input: a line is neither an event nor a directive; see rr-lines(5)' ]
	printf ':batch tab=0 batch=1 seq=x\n' >in
	run -65 --separate-stderr sse-bridge <in
	printf ':batch tab=0 batch=1\n{"a":1}\n:beat\n' >in
	run -65 --separate-stderr sse-bridge <in
	[[ $stderr == *'line 3'*'inside a batch'* ]]
	printf ':beat\n:batch tab=0 batch=1\n{"a":1}\n' >in
	run -65 --separate-stderr sse-bridge <in
	[ "$output" = $'event: beat\ndata: :beat' ]
	[ "$stderr" = 'sse-bridge: standard input ends inside a batch, which is dropped' ]
}

@test "filter: an output that fails" {
	run -1 sh -c 'echo :beat | sse-bridge >/dev/full'
	[ "$output" = 'sse-bridge: cannot write to standard output: No space left on device' ]
}

@test "usage" {
	run -0 --separate-stderr sse-bridge --help
	[[ $output == 'usage: sse-bridge '* && -z $stderr ]]
	run -0 sse-bridge --version
	[[ $output == 'sse-bridge '[0-9]* ]]
	run -64 --separate-stderr sse-bridge -z
	run -64 --separate-stderr sse-bridge file
	[ "$stderr" = 'sse-bridge: it takes no operands; see sse-bridge --help' ]
	run -64 --separate-stderr sse-bridge -w .
	[ "$stderr" = 'sse-bridge: these options need -l; see sse-bridge --help' ]
	run -64 --separate-stderr sse-bridge -l 127.0.0.1:0 -n 0
	[ "$stderr" = "sse-bridge: -n: '0' is too small; it must be a number from 1 to 100000" ]
	local option
	for option in -W -w -x; do
		run -78 --separate-stderr sse-bridge -l 127.0.0.1:0 "$option" none
		[[ $stderr == "sse-bridge: cannot open 'none' ($option): No such file or directory" ]]
	done
}

# ---- files ----

@test "files: content, cache, compression, policy; nothing else" {
	mkdir -p web/sub
	echo '<p>hello' >web/index.html
	echo 'a()' >web/app.js
	gzip -k web/app.js
	echo 'b()' >web/rr.0123abcd.js
	echo secret >outside
	ln -s ../outside web/link
	serve -w web
	run -0 curl -s "$at/"
	[ "$output" = '<p>hello' ]
	curl -sI "$at/" >headers
	has headers 'Content-Type: text/html; charset=utf-8'
	has headers 'X-Content-Type-Options: nosniff'
	has headers 'Cache-Control: no-cache'
	run ! has headers Content-Security-Policy
	etag=$(sed -n 's/^ETag: \(.*\)\r/\1/p' headers)
	[ "$(answer -H "If-None-Match: $etag" "$at/")" = '304 ' ]
	curl -s -H 'Accept-Encoding: gzip' "$at/app.js" | cmp - web/app.js.gz
	curl -s "$at/app.js" | cmp - web/app.js
	curl -sI "$at/rr.0123abcd.js" >headers
	has headers immutable
	for path in /no /link /sub /../outside /%2e%2e/outside '/a%00' //; do
		[[ $(answer --path-as-is "$at$path") == 404* ]]
	done
	[[ $(answer -X POST "$at/") == 405* ]]
	[[ $(answer "$at/api/sessions") == 404* ]]

	printf "default-src 'none';\nscript-src 'self'\n" >web/csp.txt
	route list <<<'echo {}'
	serve -w web -x routes
	curl -sI "$at/" >headers
	has headers "Content-Security-Policy: default-src 'none'; script-src 'self'"
	printf 'img-src *\n' >web/index.html.csp
	cp web/index.html web/other.html
	curl -sI "$at/" >headers
	has headers 'Content-Security-Policy: img-src *'
	curl -sI "$at/other.html" >headers
	has headers "Content-Security-Policy: default-src 'none'; script-src 'self'"
	curl -sI --path-as-is "$at/../web/index.html" >headers
	! grep -q img-src headers
	rm web/csp.txt web/index.html.csp
	mkdir web/index.html.csp
	[[ $(answer "$at/") == 500* ]]
	rmdir web/index.html.csp
	serve -w web -x routes
	curl -sI "$at/" >headers
	has headers "Content-Security-Policy: default-src 'self'; "
}

# ---- who may ask ----

@test "access: other hosts, sites and methods" {
	local name
	for name in list show stop delete; do
		route $name <<<'echo "{\"ran\":\"${0##*/}\"}"'
	done
	serve -x routes -H watch.example
	local port=${at##*:}
	for name in 127.0.0.1 localhost:$port "[::1]:$port" WATCH.example; do
		[[ $(answer -H "Host: $name" "$at/api/sessions") == 200* ]]
	done
	for name in evil.example evil.example:$port localhost.evil.example \
	    127.0.0.1.evil.example; do
		[[ $(answer -H "Host: $name" "$at/api/sessions") == 421* ]]
	done
	[[ $(answer -H 'Sec-Fetch-Site: cross-site' "$at/api/sessions") == 403* ]]
	[[ $(answer -H 'Sec-Fetch-Site: same-origin' "$at/api/sessions") == 200* ]]

	local s=$at/api/sessions/$id
	[[ $(answer -X POST "$s/stop") == 403* ]]
	[[ $(answer -X DELETE "$s") == 403* ]]
	[[ $(answer -X DELETE -H 'X-RR: 1' -H 'Origin: http://evil.example' "$s") == 403* ]]
	[[ $(answer -X DELETE -H 'X-RR: 1' -H 'Origin: null' "$s") == 403* ]]
	[[ $(answer -X DELETE -H 'X-RR: 1' -H "Origin: $at" "$s") == '200 {"ran":"delete"}' ]]
	[[ $(answer -X POST -H 'X-RR: 1' "$s/stop") == '200 {"ran":"stop"}' ]]
	[[ $(answer -X POST -H 'X-RR: 1' "$s") == 405* ]]
	[[ $(answer -X DELETE -H 'X-RR: 1' "$s/lines") == 405* ]]
	[[ $(answer -H 'X-RR: 1' "$s/stop") == 405* ]]
	[[ $(answer -X POST -H 'X-RR: 1' -d "$(printf '%5000d' 1)" "$s/stop") == 413* ]]
	# No answer is for other origins.
	curl -si -H 'Origin: http://evil.example' "$s" >headers
	run ! has headers Access-Control
}

@test "access: it does not listen where others reach it, unless told to" {
	run -78 --separate-stderr sse-bridge -l 0.0.0.0:0
	[[ $stderr == 'sse-bridge: will not listen on 0.0.0.0:'*' --insecure' ]]
	serve -l 0.0.0.0:0 --insecure
	start sse-bridge -l unix:sock
	wait_until 5 test -S sock
	[[ $(answer --unix-socket sock http://any.example/) == 404* ]]
}

# ---- routes ----

@test "routes: a command gets exactly the words that were checked" {
	local name
	for name in list show lines outline export; do
		route $name <<<'printf "<%s>" "${0##*/}" "$@"'
	done
	serve -x routes
	local s=$at/api/sessions
	[ "$(curl -s "$s")" = '<list><limit=50>' ]
	[ "$(curl -s "$s?limit=7&after=sessions/12-ab")" = '<list><limit=7><after=sessions/12-ab>' ]
	[ "$(curl -s "$s?errors=1&url=a%20b%26&no=x&state=live")" = \
	    '<list><limit=50><state=live><url=a b&><errors=1>' ]
	[ "$(curl -s "$s/$id")" = "<show><$id>" ]
	[ "$(curl -s "$s/$id/lines")" = "<lines><$id><from=start>" ]
	[ "$(curl -s "$s/$id/lines?from=snapshot&count=3")" = "<lines><$id><from=snapshot><count=3>" ]
	[ "$(curl -s "$s/$id/lines?from=17&x=y")" = "<lines><$id><from=17>" ]
	[ "$(curl -s "$s/$id/lines?at=17&from=3")" = "<lines><$id><at=17>" ]
	[ "$(curl -s "$s/$id/lines?at=%2B17")" = "<lines><$id><at=+17>" ]
	[ "$(curl -s "$s/$id/lines?at=-17&tab=0a&count=3")" = "<lines><$id><at=-17><tab=0a><count=3>" ]
	[ "$(curl -s "$s/$id/lines?tab=a")" = "<lines><$id><from=start>" ]
	[ "$(curl -s "$s/$id/outline?from=3")" = "<outline><$id>" ]
	[ "$(curl -s "$s/$id/export")" = "<export><$id><format=ndjson>" ]
	[ "$(curl -s -D head "$s/$id/export?format=html")" = "<export><$id><format=html>" ]
	has head 'Content-Type: application/octet-stream'
	has head "Content-Disposition: attachment; filename=\"$id.html\""
	has head 'X-Content-Type-Options: nosniff'
	[[ $(answer -X POST -H 'X-RR: 1' "$s/$id/export") == 405* ]]
	local query
	for query in '?limit=0' '?limit=x' '?limit=' '?limit=99999' '?after=' \
	    '?after=a%20b' '?errors=x' '?user=a%0ab' '?url=' '?after=%24(id)' '?after=a%0ab' \
	    "?after=$(printf '%0400d' 1)" "/$id/lines?from=-1" \
	    "/$id/lines?from=1e3" "/$id/lines?from=99999999999999999999" \
	    "/$id/lines?at=x" "/$id/lines?at=" "/$id/lines?at=--1" \
	    "/$id/lines?at=1&tab=A" "/$id/lines?at=1&tab=" \
	    "/$id/lines?at=1&tab=123456789" "/$id/lines?count=0" "/$id/export?format=mp4" "/$id/live" "/$id/live?from=start"; do
		echo "$query"
		[[ $(answer "$s$query") == '400 {"error":"'*'"}' ]]
	done
	for query in /x "/${id}x" "/${id^^}" "/$id/other" "/$id/lines/x" \
	    "/..%2f$id" /-f /%2d%2dhelp; do
		[[ $(answer "$s$query") == 404* ]]
	done
}

@test "routes: the exit status is the status while nothing was written" {
	route show <<<'exit $(<status)'
	serve -x routes
	local s=$at/api/sessions/$id pair
	for pair in 0:200 3:200 66:404 75:503 65:500 1:500 77:500; do
		echo "${pair%:*}" >status
		[[ $(answer "$s") == "${pair#*:} "* ]]
	done
	echo 75 >status
	curl -si "$s" >headers
	has headers 'Retry-After: '
	has headers '{"error":"S2 is away; try again later"}'
	route show <<<'kill -9 $$'
	[[ $(answer "$s") == 500* ]]
	rm routes/show
	[[ $(answer "$s") == 500* ]]
	has "$log" 'cannot start'
}

@test "routes: an answer that is not whole is cut, and one with gaps is whole" {
	route lines <<<'echo "{}"; exit $(<status)'
	serve -x routes
	echo 1 >status
	run -18 curl -sS "$at/api/sessions/$id/lines"
	echo 3 >status
	run -0 curl -sS "$at/api/sessions/$id/lines"
	[ "$output" = '{}' ]
}

@test "routes: lines are compressed for who takes it, and not held back" {
	local size
	# Pauses, pieces that fit no buffer, and what does not compress.
	route lines <<-'EOF'
	echo first
	read -r <go
	cat "$recording"
	head -c 3000000 random
	exit "$(<status)"
	EOF
	head -c 3000000 /dev/urandom >random
	export recording=$DATA/gen-mutation-flood-cells.ndjson
	mkfifo go
	echo 0 >status
	serve -x routes
	local bridge=$pid url=$at/api/sessions/$id/lines
	start curl -sN -H 'Accept-Encoding: gzip' -D head -o got.gz "$url"
	# What was written is there, while the command has not ended.
	wait_until 5 first_line got.gz
	echo >go
	ended "$pid"
	has head 'Content-Encoding: gzip'
	has head 'Vary: Accept-Encoding'
	{ echo first; cat "$recording" random; } >expected
	gzip -dc got.gz | cmp - expected
	size=$(stat -c %s got.gz)
	((size < 3000000 + $(stat -c %s "$recording") / 5))
	# Who does not take it, gets it as it is.
	local code writer
	for code in identity 'gzip;q=0'; do
		echo >go 3>&- &
		writer=$!
		curl -s -H "Accept-Encoding: $code" -D head "$url" | cmp - expected
		run ! has head Content-Encoding
		wait "$writer"
	done
	# One that fails is cut off here, too.
	echo 1 >status
	echo >go 3>&- &
	writer=$!
	run -18 curl -sS --compressed -o got "$url"
	wait "$writer"
	# Others, and what is to be saved, are not compressed.
	route list <<<'echo "{}"'
	route export <<<'echo "{}"'
	for code in "$at/api/sessions" "$at/api/sessions/$id/export"; do
		[[ $(curl -s -H 'Accept-Encoding: gzip' "$code") == '{}' ]]
	done
}

# first_line FILE: as far as it is here, it holds the first line.
first_line() {
	[[ $(gzip -dc "$1" 2>gzip.err) == first ]]
}

@test "routes: a slow client holds its command back, and ends it by leaving" {
	route lines <<-'EOF'
	echo $$ >pid
	exec yes 0123456789
	EOF
	serve -x routes
	local bridge=$pid
	start curl -sN --limit-rate 1000 "$at/api/sessions/$id/lines"
	local client=$pid
	wait_until 5 test -s pid
	# It waits, having written what pipe and socket hold.
	asleep() {
		local io
		io=$(<"/proc/$(<pid)/io")
		[[ $(sed -n 3p "/proc/$(<pid)/status") == *S* &&
		    $io == "${last-}" ]] && return
		last=$io
		return 1
	}
	wait_until 5 asleep
	local written
	written=$(awk '$1 == "wchar:" { print $2 }' "/proc/$(<pid)/io")
	[ "$written" -lt 20000000 ]
	stop "$client" KILL || :
	wait_until 5 gone "$(<pid)"
	gone "$bridge" && fail 'the bridge ended'
	# Not one, but all of its group.
	route lines <<-'EOF'
	sleep 1000 &
	echo $! >pid
	cat | cat
	wait
	EOF
	rm pid
	start curl -sN "$at/api/sessions/$id/lines"
	wait_until 5 test -s pid
	stop "$pid" || :
	wait_until 5 gone "$(<pid)"
}

@test "routes: 16 commands run, more wait, a client that leaves does not" {
	route show <<-'EOF'
	echo $$ >>started
	until [[ -e go ]]; do read -rt 0.05 <> <(:) || :; done
	echo "{}"
	EOF
	route lines <<<'exec yes'
	serve -x routes
	# Slow readers leave room for the rest.
	local readers=()
	for ((i = 0; i < 20; i++)); do
		start curl -s --limit-rate 10 "$at/api/sessions/$id/lines"
		readers+=("$pid")
	done
	twelve() { [[ $(pgrep -xc yes) -ge 12 ]]; }
	wait_until 5 twelve
	start curl -s "$at/api/sessions/$id"
	wait_until 5 test -s started
	for i in "${readers[@]}" "$pid"; do
		stop "$i" || :
	done
	rm started
	local i clients=()
	touch started
	for ((i = 0; i < 20; i++)); do
		start curl -s "$at/api/sessions/$id"
		clients+=("$pid")
	done
	sixteen() { [[ $(wc -l <started) -eq 16 ]]; }
	wait_until 5 sixteen
	# Which clients wait is not known; four are too many to be served.
	[[ $(answer "$at/nothing") == 404* ]]
	sixteen
	stop "${clients[0]}" || :
	stop "${clients[19]}" || :
	touch go
	for i in "${clients[@]:1:18}"; do
		ended "$i"
		[ "$(<"$i.out")" = '{}' ]
	done
}

# sockets N: the server has so many, its listeners among them.
sockets() {
	local links
	links=$(find "/proc/$server/fd" -lname 'socket:*' 2>/dev/null | wc -l)
	[[ $links -eq $1 ]]
}

# dribble HEAD BYTE: sends it, then a byte now and then for as long as it is
# taken.
dribble() {
	start bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
		trap "" PIPE
		printf "$2" >&3
		while printf "$3" >&3; do read -rt 0.1 <> <(:) || :; done
		exit 0' dribble "$port" "$1" "$2"
	dribbling+=("$pid")
}

# burden ROUTE: opens connections to the server at $at whose heads or bodies
# dribble in, and some that do not take an answer.
burden() {
	local i
	port=${at##*:}
	for i in 1 2; do
		# Reads nothing.
		start bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit
			printf "GET /large.html HTTP/1.1\r\nHost: localhost\r\n\r\n" >&3
			exec sleep 1000' silent "$port"
		reading+=("$pid")
		# Reads next to nothing.
		start curl -s -o /dev/null --limit-rate 1000 "$at/large.html"
		reading+=("$pid")
		dribble 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ' a
		dribble "POST $1 HTTP/1.1\r\nHost: localhost\r\nX-RR: 1\r\nContent-Length: 1000\r\n\r\n" ' '
	done
}

@test "both servers: who dribbles or does not read is cut in time, and alone" {
	local servers=() ats=() dribbling=() reading=() free=() whole=() i server
	mkdir web
	echo small >web/small.html
	head -c 30000000 /dev/zero >web/large.html
	serve -w web -T 4
	servers+=("$pid") ats+=("$at")
	mkfifo acks
	exec 4<>acks
	start bash -c 'exec rr-collect -l 127.0.0.1:0 -w web --max-wait 4 \
	    <acks | cat'
	local ring=$pid
	wait_until 5 grep -q 'listening on' "$pid.err"
	ats+=("http://$(sed -n 's/.*listening on //p' "$pid.err")")
	servers+=("$(pgrep -P "$pid" rr-collect)")
	for i in 0 1; do
		server=${servers[i]} at=${ats[i]}
		free[i]=$(find "/proc/$server/fd" -lname 'socket:*' | wc -l)
		# Whoever takes it, however long that takes, is not cut.
		start curl -sf -o "whole.$i" --limit-rate 5M "$at/large.html"
		whole+=("$pid")
		burden "$( ((i)) && echo '/v1/sessions?key=dev' || echo /api/login)"
		run ! sockets "${free[i]}"
	done
	for i in {1..20}; do
		[ "$(curl -s -m 5 "${ats[0]}/small.html")" = small ]
		[ "$(curl -s -m 5 "${ats[1]}/small.html")" = small ]
	done
	for i in "${dribbling[@]}"; do
		ended "$i"
	done
	for i in 0 1; do
		ended "${whole[i]}"
		cmp "whole.$i" web/large.html
		server=${servers[i]}
		wait_until 20 sockets "${free[i]}"
	done
	for i in "${reading[@]}"; do
		stop "$i" KILL || :
	done
	kill "${servers[1]}"
	exec 4>&-
	ended "$ring"
}

@test "routes: of one session one outline runs at a time, and goes with its viewer" {
	route outline <<-'EOF'
	trap 'echo "$1" >>ended' EXIT
	echo "$1" >>started
	until [[ -e go ]]; do echo; read -rt 0.05 <> <(:) || :; done
	EOF
	serve -x routes
	local other=${id%?????}zzzzz clients=() i
	for i in "$id" "$id" "$other"; do
		start curl -s -o /dev/null "$at/api/sessions/$i/outline"
		clients+=("$pid")
	done
	both() { [[ $(sort started) == "$(printf '%s\n' "$id" "$other" | sort)" ]]; }
	wait_until 10 both
	[[ $(answer "$at/nothing") == 404* ]]
	both
	# Of the two, whoever is served leaves; then it is the other's turn.
	stop "${clients[0]}" || :
	stop "${clients[1]}" || :
	wait_until 10 grep -q "$id" ended
	start curl -s -o /dev/null "$at/api/sessions/$id/outline"
	wait_until 10 eval '[[ $(grep -c "$id" started) -ge 2 ]]'
	touch go
	ended "$pid"
	ended "${clients[2]}"
}

# ---- live ----

# The stand-in for a pipeline: prints what is in the file "lines", as it
# comes, and ends with the status in "end" when that is there.
live_route() {
	route live <<-'EOF'
	echo "$$ $*" >>started
	tail -n +1 -f lines 2>/dev/null &
	until [[ -e end ]]; do read -rt 0.05 <> <(:) || :; done
	exit "$(<end)"
	EOF
	: >lines
	: >started
}

# batch N [SEQ]: adds a batch to the lines.
batch() {
	printf ':batch tab=0 batch=%d seq=%d seqs=1 time=%d\n{"n":%d}\n:end\n' \
	    "$1" "${2:-$1}" "$1" "$1" >>lines
}

# batches FIRST LAST BYTES: adds these, of so many bytes each.
batches() {
	awk -v first="$1" -v last="$2" -v bytes="$3" 'BEGIN {
		for (pad = "0"; length(pad) < bytes; pad = pad pad)
			;
		for (n = first; n <= last; n++) {
			print ":batch tab=0 batch=" n " seq=" n " time=" n
			print "{\"n\":" n ",\"pad\":\"" pad "\"}"
			print ":end"
		}
	}' >>lines
}

view() {
	start curl -sN -o "view.$1" "$at/api/sessions/$id/live?from=$2" "${@:3}"
	viewer=$pid
}

starts_are() {
	[[ $(wc -l <started) -eq $1 ]]
}

@test "live: one pipeline for all, kept for a while, then ended" {
	live_route
	mkdir watched
	serve -x routes -k 1 -W watched
	# From a little before what the first viewer asks for.
	view 1 5
	local first=$viewer
	wait_until 5 starts_are 1
	[ "$(ls watched)" = "$id" ]
	grep -q " $id from=0$" started
	printf ':tail seq=5 time=1\n' >>lines
	wait_until 5 has view.1 ':tail'
	batch 5
	view 2 5
	batch 6
	wait_until 5 has view.1 '{"n":6}'
	wait_until 5 has view.2 '{"n":6}'
	starts_are 1
	cat >expected <<-'EOF'
	event: tail
	data: :tail seq=5 time=1
	id: 5

	event: batch
	data: :batch tab=0 batch=5 seq=5 seqs=1 time=5
	data: {"n":5}
	id: 6

	event: batch
	data: :batch tab=0 batch=6 seq=6 seqs=1 time=6
	data: {"n":6}
	id: 7

	EOF
	sed 1,2d view.1 | cmp - expected
	[[ $(head -1 view.1) == 'retry: '* ]]
	# Left and come back within a second, it is the same one.
	stop "$first" || :
	stop "$viewer" || :
	view 3 0 -H 'Last-Event-ID: 6'
	wait_until 5 has view.3 '{"n":6}'
	run ! has view.3 '{"n":5}'
	starts_are 1
	local command
	read -r command _ <started
	[ "$(ls watched)" = "$id" ]
	stop "$viewer" || :
	wait_until 5 test ! -e "watched/$id"
	wait_until 5 gone "$command"
	wait_until 5 group_gone "$command"
	view 4 7
	wait_until 5 starts_are 2
}

@test "live: a pipeline that breaks is started again, unnoticed" {
	live_route
	serve -x routes
	view 1 1
	printf ':fence set=active seq=1 time=1\n' >>lines
	batch 1 2
	batch 2 3
	# Cut in the middle of a batch, and of a line.
	printf ':batch tab=0 batch=3 seq=4 seqs=1 time=3\n{"n":3' >>lines
	wait_until 5 has view.1 '{"n":2}'
	local command
	read -r command _ <started
	printf ':fence set=active seq=1 time=1\n' >lines.new
	mv lines.new lines
	kill -9 -- "-$command"
	wait_until 5 starts_are 2
	tail -1 started | grep -q ' from=4$'
	# It repeats some, and has lost some.
	batch 2 3
	batch 3 4
	printf ':beat seq=5 time=5\n' >>lines
	batch 6 6
	wait_until 5 has view.1 '{"n":6}'
	grep '^data' view.1 >got
	cat >expected <<-'EOF'
	data: :fence set=active seq=1 time=1
	data: :batch tab=0 batch=1 seq=2 seqs=1 time=1
	data: {"n":1}
	data: :batch tab=0 batch=2 seq=3 seqs=1 time=2
	data: {"n":2}
	data: :batch tab=0 batch=3 seq=4 seqs=1 time=3
	data: {"n":3}
	data: :beat seq=5 time=5
	data: :gap tab=0 batch=4-5 cause=lost
	data: :batch tab=0 batch=6 seq=6 seqs=1 time=6
	data: {"n":6}
	EOF
	cmp got expected
}

@test "live: how it ends" {
	live_route
	serve -x routes
	view 1 0
	batch 1
	printf ':fence set=stopped seq=2 time=2\n:stop seq=3 time=2 {}\n' >>lines
	ended "$viewer"
	[ "$(tail -5 view.1)" = $'id: 4\n\nevent: end\ndata: stopped' ]
	# Who comes later is told so.
	view 2 4
	ended "$viewer"
	has view.2 'data: stopped'

	live_route
	serve -x routes
	view 3 0
	batch 1
	wait_until 5 has view.3 '{"n":1}'
	echo 0 >end
	ended "$viewer"
	[ "$(tail -3 view.3)" = $'event: end\ndata: deleted' ]

	serve -x routes
	: >lines
	echo 66 >end
	[[ $(answer "$at/api/sessions/$id/live?from=0") == 404* ]]
	echo 75 >end
	[[ $(answer "$at/api/sessions/$id/live?from=0") == 503* ]]
	rm routes/live
	[[ $(answer "$at/api/sessions/$id/live?from=0") == 500* ]]
}

@test "live: who is too far back is told to resync" {
	live_route
	printf ':tail seq=10 time=1\n' >>lines
	serve -x routes -r 1
	view 1 10
	local i
	for i in {10..40}; do
		batch "$i"
		wait_until 5 has view.1 "{\"n\":$i}"
	done
	view 2 9
	ended "$viewer"
	[ "$(cat view.2)" = $'event: resync\ndata: resync' ]
	view 3 20
	ended "$viewer"
	[ "$(cat view.3)" = $'event: resync\ndata: resync' ]
	view 4 40
	wait_until 5 has view.4 '{"n":40}'
	# What is larger than all that is kept still comes.
	batches 41 41 100000
	wait_until 5 has view.1 '"n":41'
	wait_until 5 has view.4 '"n":41'
	# One that starts too far from the tail is not followed for ever.
	live_route
	serve -x routes -r 1
	batches 10 40 100
	view 5 10
	ended "$viewer"
	[ "$(tail -3 view.5)" = $'event: resync\ndata: resync' ]
}

@test "live: a viewer that does not read is cut; the others and memory are not hurt" {
	live_route
	printf ':tail seq=1 time=1\n' >>lines
	serve -x routes -r 2048
	local bridge=$pid i stalled=()
	good_has() { tail -c 100 view.good | grep -qx "id: $(($1 + 1))"; }
	for i in {1..20}; do
		view "stalled.$i" 0
		stalled+=("$viewer")
	done
	view good 0
	batch 1
	for i in {1..20}; do
		wait_until 5 has "view.stalled.$i" '{"n":1}'
	done
	kill -s STOP "${stalled[@]}"
	# More than sockets hold, for each of them; and no faster than the one
	# that reads.
	for ((i = 2; i < 400; i += 25)); do
		batches "$i" $((i + 24)) 60000
		wait_until 20 good_has $((i + 24))
	done
	[ "$(grep -c '^data: {"n"' view.good)" -eq 401 ]
	kill -s CONT "${stalled[@]}"
	for i in {0..19}; do
		ended "${stalled[i]}" || :
		whole <"view.stalled.$((i + 1))" >seen
		# What it got has no hole; then it was told, or cut off.
		grep -o '^data: {"n":[0-9]*' seen >numbers
		seq -f 'data: {"n":%g' "$(wc -l <numbers)" | cmp - numbers
		run ! has seen '{"n":401'
	done
	# Sanitizers take several times as much.
	[[ $BUILD != *-sanitize ]] || return 0
	local peak
	peak=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$bridge/status")
	[ "$peak" -lt 30000 ]
}

@test "live: no more viewers than allowed, and a comment when all is silent" {
	live_route
	printf ':tail seq=0 time=1\n' >>lines
	serve -x routes -n 2
	view 1 0
	wait_until 5 has view.1 ':tail'
	local first=$viewer
	view 2 0
	wait_until 5 has view.2 ':tail'
	[[ $(answer "$at/api/sessions/$id/live?from=0") == 503* ]]
	stop "$first" || :
	room() { [[ $(answer -m 1 "$at/api/sessions/$id/live?from=0") == 200* ]]; }
	wait_until 5 room
	pinged() { grep -qx ':' view.2; }
	wait_until 20 pinged
}

@test "no address has more than its share, directly or through a proxy" {
	live_route
	printf ':tail seq=0 time=1\n' >>lines
	route lines <<<'exec yes'
	route show <<<'echo "{}"'
	serve -x routes -P 127.0.0.1 -a 10
	local bridge=$pid i from='X-Forwarded-For: 192.0.2' path=$at/api/sessions/$id
	for i in {1..10}; do
		view "$i" 0 -H "$from.1"
		wait_until 5 has "view.$i" ':tail'
	done
	[[ $(answer -H "$from.1" "$path") == '429 {"error":"too many requests'* ]]
	# What the client says of itself does not count.
	[[ $(answer -H "X-Forwarded-For: 203.0.113.$RANDOM, 192.0.2.1" "$path") == 429* ]]
	[[ $(answer -H "$from.2" "$path") == 200* ]]
	[[ $(answer "$path") == 200* ]]
	stop "$viewer" || :
	room() { [[ $(answer -H "$from.1" "$path") == 200* ]]; }
	wait_until 5 room
	# Ten that read slowly have eight of the twelve commands.
	for i in {1..10}; do
		start curl -s -o /dev/null --limit-rate 10 -H "$from.3" "$path/lines"
	done
	commands_are() { [[ $(pgrep -P "$bridge" -xc yes) -eq $1 ]]; }
	wait_until 20 commands_are 8 || {
		pgrep -P "$bridge" -a >&2 || :
		tail "$log" >&2
		return 1
	}
	start curl -s -o other --limit-rate 1M -H "$from.4" "$path/lines"
	wait_until 5 test -s other
	commands_are 9
	# By itself, where a client has an address that is not this machine's.
	mkdir web
	echo page >web/index.html
	cat >alone <<-'EOF'
	set -e
	ip link set lo up
	ip address add 192.0.2.1/32 dev lo
	sse-bridge --insecure -v -l 192.0.2.1:8788 -w web -a 3 2>log &
	until grep -q listening log; do sleep 0.02; done
	at=http://192.0.2.1:8788/
	for i in 1 2 3; do
		exec {fd}<>/dev/tcp/192.0.2.1/8788
		printf 'GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n' >&$fd
		read -r line <&$fd
		[[ $line == *' 200 '* ]]
	done
	curl -s -m 5 "$at" >more && exit 1
	exec {fd}>&-
	until [[ $(curl -s -m 5 "$at") == page ]]; do sleep 0.02; done
	EOF
	start unshare -n bash alone
	ended "$pid"
}

@test "SIGTERM ends it, its viewers and its commands" {
	live_route
	route lines <<-'EOF'
	trap '' TERM
	echo "$$ lines" >>started
	while :; do read -rt 1 <> <(:) || :; done
	EOF
	serve -x routes
	local bridge=$pid command
	view 1 0
	wait_until 5 starts_are 1
	start curl -s "$at/api/sessions/$id/lines"
	wait_until 5 starts_are 2
	stop "$bridge"
	while read -r command _; do
		gone "$command"
		wait_until 5 group_gone "$command"
	done <started
	ended "$viewer" || :
}
