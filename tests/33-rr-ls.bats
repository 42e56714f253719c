# rr-ls: the list of sessions, and what is known of each.

load helper

# session LINE...: makes a session of these lines, and sets id and stream.
session() {
	local uri
	id=$(s2-stream new)
	uri=$(s2-stream name "$id")
	stream=${uri#s2://*/}
	printf '%s\n' "$@" :end | rr-frame | s2-append -c "$uri" >/dev/null
}

@test "a list in JSON, in whole" {
	new_basin
	printf '{"sessions":[],"more":false,"next":null}\n' | cmp - <(rr-ls -j)
	session ':fence set=active' \
	    ':meta {"url":"https://x.example/","user":7,"a":{"b":[1.5]}}' \
	    '{"type":4,"timestamp":1767225600000}' \
	    '{"type":3,"timestamp":1767225605250.7}'
	local first=$id first_stream=$stream
	sleep 0.005
	session ':fence set=active' ':meta {"title":"T","source":"test"}' \
	    '{"type":4,"timestamp":1767225600000}' :end \
	    ':fence set=stopped use=active' \
	    ':stop {"reason":"explicit","events":1,"bytes":9}'
	rr-ls -j >got
	jq -S 'del(.sessions[].seen, .sessions[].created)' got >got.json
	jq -S . >want.json <<-EOF
	{"sessions":[
	 {"id":"$id","stream":"$stream","state":"stopped","records":5,
	  "first":1767225600000,"last":1767225600000,"duration":0,
	  "url":null,"title":"T","user":null,"source":"test",
	  "events":1,"bytes":9,
	  "meta":{"title":"T","source":"test"},
	  "stop":{"reason":"explicit","events":1,"bytes":9}},
	 {"id":"$first","stream":"$first_stream","state":"live","records":3,
	  "first":1767225600000,"last":1767225605250,"duration":5250,
	  "url":"https://x.example/","title":null,"user":null,"source":null,
	  "meta":{"url":"https://x.example/","user":7,"a":{"b":[1.5]}}}
	],"more":false,"next":null}
	EOF
	cmp got.json want.json
	# Times: the id's, and S2's of the last record.
	[[ $(s2-stream tail "s2://$RR_BASIN/$first_stream") == \
	    "3 $(jq .sessions[1].seen got)" ]]
	(($(jq .sessions[1].created got) == \
	    9999999999999 - 10#${first_stream:9:13}))
	# One session: its object alone.
	rr-ls -j "$first" | cmp - <(jq -c '.sessions[1]' got)
	rr-ls -j "$first" "$id" |
	    cmp - <(jq -c '.sessions[1], .sessions[0]' got)
}

@test "pages: newest first, nothing twice, nothing left out" {
	new_basin
	local i after= page pages=0
	for i in {1..7}; do
		session ":meta {\"url\":\"$i\"}"
		sleep 0.002
	done
	s2-stream create "s2://$RR_BASIN/sessions/not-a-session" >/dev/null
	s2-stream create "s2://$RR_BASIN/other" >/dev/null
	while page=$(rr-ls -j -n 3 ${after:+-a "$after"}); do
		((++pages))
		jq -r '.sessions[].url' <<<"$page"
		after=$(jq -er .next <<<"$page") || break
	done >urls
	printf '%s\n' 7 6 5 4 3 2 1 | cmp - urls
	[[ $pages -eq 3 ]]
	[[ $(rr-ls -j -n 7 | jq -c '[.more, .next]') == '[false,null]' ]]
	[[ $(rr-ls -n 2 | awk '{ print $NF }') == $'7\n6' ]]
	# Another prefix is another list.
	[[ $(RR_PREFIX=others rr-ls) == '' ]]
}

@test "states: the lease, beats, a stop, a stop that nothing follows" {
	new_basin
	state() { rr-ls -j "$id" | jq -r .state; }
	session ':fence set=active' ':meta {}' '{"type":3}'
	[[ $(state) == live ]]
	RR_LEASE=1
	export RR_LEASE
	is_ended() { [[ $(state) == ended ]]; }
	wait_until 5 is_ended
	printf '%s\n' ':fence use=active' :beat :beat :beat :beat :end |
	    rr-frame | s2-append "$(s2-stream name "$id")" >/dev/null
	[[ $(state) == live ]]
	s2-stream fence "$(s2-stream name "$id")" stopped >/dev/null
	[[ $(state) == stopped ]]
	wait_until 5 test "$(state)" = stopped
	run -78 env RR_LEASE=soon rr-ls
}

@test "what a visitor sent is JSON for programs, and harmless on a terminal" {
	new_basin
	session ':meta {"url":"https://x/\u001b]0;t\u0007\u009b31m\u0000\n<b>",'$(
	    )'"user":"\u202e\ud83d\ude00 \udc00","title":["no"],"__proto__":1}'
	rr-ls -j "$id" | jq -r '.meta.url' |
	    cmp - <(printf 'https://x/\e]0;t\a\xc2\x9b31m\0\n<b>\n')
	[[ $(rr-ls -j "$id" | jq -c '[.title, .meta.__proto__]') == \
	    '[null,1]' ]]
	rr-ls "$id" >text
	[[ $(wc -l <text) -eq 1 ]]
	run ! grep -P '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' text
	# What cannot be seen, or would turn the line around, is written out.
	[[ $(cut -c 63- text) == '<U+202E>'$'\U1f600'' '$'\ufffd'* ]]
	# As a terminal gets it: with a heading.
	run -0 script -qec rr-ls /dev/null
	[[ ${lines[0]} == 'ID '*URL* && ${lines[1]} == "$id "* ]]
	local hidden
	hidden='a\u200db\u200b\u2067\u0634\u200c\u0646\ud83d\udc69\u200d\ud83d\udcbb\u00ad\udb40\udc41'
	session ":meta {\"url\":\"$hidden\"}"
	[[ $(rr-ls "$id") == *" a<U+200D>b<U+200B><U+2067>"$'\u0634\u200c\u0646\U1f469\u200d\U1f4bb<U+00AD><U+E0041>' ]]
	[[ $(rr rm -n "$id" 2>/dev/null) == *"  a<U+200D>b<U+200B><U+2067>"*'<U+00AD><U+E0041>' ]]
	# Large, deep, long, broken, empty, not an object: as far as it goes.
	local text
	printf -v text '%60000s'
	session ":meta {\"url\":\"${text// /x}\"}"
	[[ $(rr-ls -j "$id" | jq '.url | length') == 60000 ]]
	[[ $(rr-ls "$id" | wc -c) -lt 300 ]]
	printf -v text '%300s'
	session ":meta {\"a\":${text// /[}${text// /]}}"
	[[ $(rr-ls -j "$id" | jq -c '.meta') == '{}' ]]
	# Later ones count more, key by key, wherever they stand.
	session ':meta {"url":"a","user":"u"}' '{"type":3}' :end \
	    ':meta {"url":"b"}' :end '{"type":3}' :end ':meta {"title":"t"}'
	[[ $(rr-ls -j "$id" | jq -c .meta) == \
	    '{"url":"b","user":"u","title":"t"}' ]]
}

@test "times: a large first batch, many records, jumping clocks" {
	new_basin
	local big i
	printf -v big '%600000s'
	session ':fence set=active' ':meta {"url":"big"}' \
	    ':batch tab=1 batch=1' '{"type":4,"timestamp":5000}' \
	    "{\"type\":2,\"timestamp\":5001,\"x\":\"$(head -c 300000 \
	    /dev/urandom | base64 -w0)\"}" :end \
	    ':batch tab=1 batch=2' '{"type":3,"timestamp":9000}'
	# The last records hold all of it.
	[[ $(rr-ls -j "$id" | jq -c '[.url,.records,.first,.last,.duration]') \
	    == '["big",4,5000,9000,4000]' ]]
	for i in {3..12}; do
		printf '%s\n' ":batch tab=1 batch=$i" \
		    "{\"type\":3,\"timestamp\":$((i * 1000 + 10000))}" :end
	done | rr-frame | s2-append "$(s2-stream name "$id")" >/dev/null
	[[ $(rr-ls -j "$id" | jq -c '[.url,.records,.first,.last]') == \
	    '["big",14,5000,22000]' ]]
	# In a list the first batch is not read, and nothing is made up.
	session ':fence set=active'
	rr-ls -j | jq -c '.sessions[] | select(.url == "big")' >got
	[[ $(jq -c '[.url,.records,.first,.last]' got) == \
	    '["big",14,null,22000]' ]]
	[[ $(jq '.duration == .seen - .created' got) == true ]]
	id=$(jq -r .id got)
	# The last records are large: S2 gives them in pieces.
	for i in {13..16}; do
		printf '%s\n' ":batch tab=1 batch=$i" \
		    "{\"type\":3,\"timestamp\":$((i * 1000 + 10000)),\"x\":\"$big\"}" :end
	done | rr-frame -z none | s2-append "$(s2-stream name "$id")" >/dev/null
	[[ $(rr-ls -j "$id" | jq -c '[.records,.last]') == '[18,26000]' ]]
	# A clock that went back.
	session '{"type":3,"timestamp":9000}' :end '{"type":3,"timestamp":5}'
	[[ $(rr-ls -j "$id" | jq -c '[.first,.last,.duration]') == \
	    '[5,9000,8995]' ]]
}

@test "one that cannot be read does not fail the list" {
	new_basin
	session ':meta {"url":"good"}'
	local good=$id
	# One that has no record yet, and one that cannot be read without a key.
	id=$(s2-stream new)
	s2-stream create "$(s2-stream name "$id")" >/dev/null
	curl -sS --fail -o /dev/null -X PATCH \
	    -H 'Content-Type: application/json' \
	    -d '{"stream_cipher":"aegis-256"}' \
	    "$S2_ACCOUNT_ENDPOINT/v1/basins/$RR_BASIN"
	sleep 0.005
	id=$(s2-stream new)
	s2-stream create "$(s2-stream name "$id")" >/dev/null
	rr-ls -j >got
	[[ $(jq -c '[.sessions[] | [.state, .records, .url]]' got) == \
	    '[["unknown",null,null],["live",0,null],["live",1,"good"]]' ]]
	[[ $(jq -r '.sessions[0].error' got) == *'missing encryption key'* ]]
	rr-ls >got
	[[ $(wc -l <got) -eq 3 ]]
	grep -q "^$id unknown .*missing encryption key" got
	run -65 rr-ls "$id" "$good"
	[[ $output == *"rr-ls: $id: "*"$good live"* ]]
	# When it began is known, whose it is not: then nobody is told that all
	# of a user's are gone.
	[[ $(rr-ls -j -w since=1h | jq -c '[(.sessions | length), .unread]') == '[3,0]' ]]
	run -0 --separate-stderr rr-ls -j -w user=ann
	[[ $(jq -c '[.sessions, .unread]' <<<"$output") == '[[],1]' ]]
	[[ $stderr == 'rr-ls: 1 sessions could not be read, so whether they are like this is not known' ]]
	run -75 --separate-stderr rr rm -n -u ann
	run -75 --separate-stderr rr rm -f -u ann
	[[ $output == '' ]]
	run -0 rr rm -f -b "$(($(date +%s%3N) + 1000))"
	[[ $(rr-ls) == '' ]]
}

@test "a long word of S2 is cut between characters" {
	local port id
	id=$(s2-stream new)
	port=$(free_port)
	start node -e 'require("http2").createServer().on("stream", (s, h) => {
		const list = /^.v1.streams\?/.test(h[":path"]);
		s.respond({ ":status": list ? 200 : 403 });
		s.end(JSON.stringify(list ? { has_more: false, streams:
		    [{ name: process.argv[2], deleted_at: null }] } :
		    { code: "no", message: "\u{1f600}".repeat(99) }));
	    }).listen(process.argv[1], "127.0.0.1", () => console.log(1))' "$port" \
	    "$(s2-stream name "$id" | sed 's,^s2://[^/]*/,,')"
	wait_until 10 test -s "$pid.out"
	export S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$port
	export S2_BASIN_ENDPOINT=http://127.0.0.1:$port
	run -0 --separate-stderr rr-ls
	[[ $output == "$id unknown "*"-  read: S2 answered 403 no: $(
	    printf '😀%.0s' {1..79})" ]]
}

@test "ids by their beginnings" {
	new_basin
	local a b c
	for id in 0000000000000000000000000 0000000000000000000000001 \
	    abc0000000000000000000001; do
		s2-stream create "$(s2-stream name "$id")" >/dev/null
	done
	[[ $(rr-ls -q abc) == "$id" ]]
	[[ $(rr-ls -q -- a) == "$id" ]]
	[[ $(rr-ls -q a "$id" abc0) == "$id"$'\n'"$id"$'\n'"$id" ]]
	run -64 rr-ls -q 000
	[[ $output == "rr-ls: '000' is the beginning of 2 ids:"*\
' 0000000000000000000000001 0000000000000000000000000' ]]
	run -66 rr-ls -q x
	run -66 rr-ls -j x
	# A whole id is taken as it is, until it is read.
	[[ $(rr-ls -q 1111111111111111111111111) == 1111111111111111111111111 ]]
	run -66 rr-ls 1111111111111111111111111
	run -66 rr-ls -j 1111111111111111111111111
	[[ $output == 'rr-ls: 1111111111111111111111111: there is no such session' ]]
	[[ $(rr-ls -j a | jq -r .id) == "$id" ]]
}

@test "wrong use, and S2 away" {
	new_basin
	run -64 rr-ls -n 0
	run -64 rr-ls -n 10001
	run -64 rr-ls -q
	run -64 rr-ls -q -j x
	run -64 rr-ls -n 5 x
	run -64 rr-ls -y
	run -0 rr-ls --help
	run -0 rr-ls --version
	run -78 env RR_BASIN=No rr-ls
	local none=t-none-$SRANDOM
	RR_BASIN=$none run -66 rr-ls -j
	[[ $output == "rr-ls: there is no basin '$none': is it the RR_BASIN of the collector, which makes it when it starts?" ]]
	run -1 bash -c 'rr-ls -j >/dev/full'
	[[ $output == *'cannot write to standard output: No space'* ]]
	use_s2 "$(free_port)"
	local begun=$SECONDS
	run -75 rr-ls
	((SECONDS - begun < 15))
}

@test "a page of 50 is one call for the list and two small reads each" {
	new_basin
	local i
	for i in {1..50}; do
		session ':fence set=active' ":meta {\"url\":\"$i\"}" \
		    '{"type":3,"timestamp":1}'
	done
	# (The leak sanitizer does not work under strace.)
	ASAN_OPTIONS+=:detect_leaks=0 strace -f -e trace=connect -o trace \
	    rr-ls -j >got
	[[ $(jq '[.sessions[] | select(.state == "live")] | length' got) == \
	    50 ]]
	[[ $(grep -c 'connect(.*sin_port' trace) -eq 1 ]]
}

@test "the examples of its page" {
	new_basin
	local ids=
	for _ in 1 2 3; do
		session ':meta {"url":"u"}' '{"type":3}'
		ids=$id$'\n'$ids
		sleep 0.002
	done
	page_examples "$ROOT/bin/rr-ls/rr-ls.1" >script
	bash -euo pipefail script >got
	rr-ls -n 10 >want
	printf '%s\n' u u u "${ids%$'\n'}" >>want
	cmp got want
}

# ---- the index ----

# start_collector: sets collector.
start_collector() {
	local port
	port=$(free_port)
	collector=http://127.0.0.1:$port
	start rr-ingest -l "127.0.0.1:$port" -S "$BATS_TEST_TMPDIR/secret"
	is_ready() { [[ $(curl -s "$collector/health/ready") == *true* ]]; }
	wait_until 10 is_ready
}

# record [META]: a session by the collector. Sets id and path.
record() {
	curl -sS -d "${1-{\}}" "$collector/v1/sessions?key=dev" >open.json
	id=$(jq -er .id open.json)
	path=$collector/v1/sessions/$id
	token=$(jq -er .token open.json)
}

# post WHAT QUERY BODY
post() {
	[[ $(curl -sS -d "$3" "$path/$1?token=$token$2" | jq -r .verdict) == \
	    "${4-stored}" ]]
}

# index_lines: its entries, sorted, without times.
index_entries() {
	s2-tail "s2://$RR_BASIN/sessions.index" | rr-reassemble -d |
	    sed -n 's/^:meta [^{]*//p'
}

# in_index TEXT
in_index() {
	index_entries 2>/dev/null | grep -qF "$1"
}

# events: a page, a click and a key a second later, an error, a rage click.
events() {
	cat <<-'EOF_EVENTS'
	{"type":4,"timestamp":1767225600000,"data":{"href":"https://x/"}}
	{"type":2,"timestamp":1767225600001,"data":{"node":{}}}
	{"type":3,"timestamp":1767225601000,"data":{"source":2,"type":2}}
	{"type":3,"timestamp":1767225602500,"data":{"source":5}}
	{"type":5,"timestamp":1767225603000,"data":{"tag":"rr.error","payload":{}}}
	{"type":5,"timestamp":1767225603000,"data":{"tag":"rr.rage","payload":{}}}
	{"type":3,"timestamp":1767225660000,"data":{"source":3}}
	EOF_EVENTS
}

@test "the index: what the collector tells, and what the list makes of it" {
	new_basin
	start_collector
	record '{"url":"https://x/","title":"T"}'
	post lines '&tab=1&batch=1' "$(events)"
	post meta '' '{"user":"ann"}'
	post stop '' '{"reason":"explicit"}' stopped
	wait_until 5 in_index stop
	wait_until 5 in_index ann
	wait_until 5 in_index '"T"'
	index_entries | sed -E 's/"seen":[0-9]+/"seen":0/' | sort |
	    diff - <(sort <<-EOF_WANT
	{"id":"$id","meta":{"url":"https://x/","title":"T"}}
	{"id":"$id","meta":{"user":"ann"}}
	{"id":"$id","stop":{"reason":"explicit"},"records":6,"seen":0,"counts":{"events":7,"bytes":$(events | wc -c),"pages":1,"errors":1,"rage":1,"dead":0,"active":1500,"first":1767225600000,"last":1767225660000}}
	EOF_WANT
	)
	[[ $(s2-stream config "s2://$RR_BASIN/sessions.index") == \
	    *retention*infinite* ]]
	rr-ls -j >got
	[[ $(jq -c '.sessions[0] | [.state, .user, .url, .records, .duration,
	    .events, .pages, .errors, .rage, .dead, .active, .stop]' got) == \
	    '["stopped","ann","https://x/",6,60000,7,1,1,1,0,1500,{"reason":"explicit"}]' ]]
	[[ $(jq .index got) == 3 ]]
	# It says the same of the one session, and without the index.
	rr-ls -j "$id" | cmp - <(jq -c '.sessions[0]' got)
	s2-stream delete "s2://$RR_BASIN/sessions.index"
	rr-ls -j | jq -c '.sessions[0]' |
	    diff - <(jq -c '.sessions[0] | del(.events, .bytes, .pages,
	    .errors, .rage, .dead, .active)' got)
	# Which is made again.
	record '{"url":"again"}'
	wait_until 5 in_index again
	# One that is not stopped, but gone quiet, is in it as a live one.
	[[ $(rr-ls -j | jq -c '[.sessions[] | [.state, .url]]') == \
	    '[["live","again"],["stopped","https://x/"]]' ]]
}

@test "the index: it may lie, lack, and be broken, and costs nothing but speed" {
	new_basin
	local ids=() i
	tell() {
		(. "$ROOT/scripts/common.sh"; index_tell <<<"$1")
	}
	for i in 1 2 3 4 5; do
		session ':fence set=active' ":meta {\"url\":\"u$i\"}" '{"type":3}' \
		    :end ':fence set=stopped use=active' ':stop {"reason":"r"}'
		ids+=("$id")
		sleep 0.002
	done
	rr-ls -j >want
	# Of sessions that are not there, without an end, deleted, not ours.
	tell '{"id":"0000000000000000000000000","meta":{"url":"no"},"stop":{},"records":1}'
	tell "{\"id\":\"${ids[0]}\",\"meta\":{\"url\":\"u1\"}}"
	tell "{\"id\":\"${ids[1]}\",\"gone\":true}"
	tell "{\"id\":\"${ids[2]}\",\"stop\":7,\"meta\":[],\"records\":-1,\"counts\":3}"
	tell "{\"id\":\"${ids[3]}\",\"long\":true,\"stop\":{}}"
	tell "{\"id\":\"${ids[4]}\""
	tell '{}'
	tell '[]'
	printf '%s\n' '{"type":3}' | rr-frame |
	    s2-append "s2://$RR_BASIN/sessions.index" >/dev/null
	head -c 3000 /dev/urandom | base64 -w0 >junk
	curl -sS --fail -o /dev/null -H "S2-Basin: $RR_BASIN" \
	    -H 'Content-Type: application/json' \
	    -d "{\"records\":[{\"body\":\"$(<junk)\"}]}" \
	    "$S2_BASIN_ENDPOINT/v1/streams/sessions.index/records"
	rr-ls -j | jq 'del(.index)' | diff <(jq . want) -
	# What it should say is told, once.
	rr-ls -i >entries
	[[ $(wc -l <entries) -eq 5 ]]
	tell "$(<entries)"
	[[ $(rr-ls -i) == '' ]]
	rr-ls -j | jq 'del(.index)' | diff <(jq . want) -
}

@test "the index: a page of 50 among many is three calls" {
	new_basin
	local i proxy port n
	(. "$ROOT/scripts/common.sh"
	for i in {1..120}; do
		id=$(s2-stream new)
		printf '%s\n' ":stream name=sessions/$(s2-stream name "$id" |
		    sed 's,.*/,,')" :create ':fence set=active' \
		    ":meta {\"url\":\"$i\"}" ':batch tab=0 batch=1' \
		    '{"type":3}' :end \
		    ':fence set=stopped use=active' ':stop {"reason":"r"}' \
		    ":end token=$i"
	done | rr-frame -m | s2-append -m "s2://$RR_BASIN" >/dev/null
	rr-ls -i | index_tell)
	port=$(free_port)
	start node "$ROOT/tests/count-proxy.mjs" "$port" "$S2_BASIN_ENDPOINT"
	proxy=$BATS_TEST_TMPDIR/$pid.out
	wait_until 10 grep -q ready "$proxy"
	via() {
		S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$port \
		    S2_BASIN_ENDPOINT=http://127.0.0.1:$port "$@"
	}
	via rr-ls -j >got
	[[ $(jq -c '[(.sessions | length), .more]' got) == '[50,true]' ]]
	[[ $(grep -c / "$proxy") -le 3 ]] || fail "$(<"$proxy")"
	n=$(grep -c / "$proxy")
	via rr-ls -j -a "$(jq -r .next got)" >older
	[[ $(jq '.sessions | length' older) -eq 50 ]]
	[[ $(($(grep -c / "$proxy") - n)) -le 3 ]] || fail "$(<"$proxy")"
	# The same without it.
	s2-stream delete "s2://$RR_BASIN/sessions.index"
	rr-ls -j | diff - <(jq -c 'del(.index)' got)
}

@test "conditions: each of them, and a page of few among many" {
	new_basin
	start_collector
	local a b c i page after= looked=0
	record '{"url":"https://shop/Cart?x=1","title":"Cart","user":"ann","source":"web"}'
	a=$id
	post lines '&tab=1&batch=1' "$(events)"
	post stop '' '{}' stopped
	record '{"url":"https://shop/home","user":"bob"}'
	b=$id
	post lines '&tab=1&batch=1' '{"type":3,"timestamp":1767225600000}'
	post stop '' '{}' stopped
	record '{"url":"https://shop/live"}'
	c=$id
	in_index_both() { [[ $(index_entries | grep -c stop) -eq 2 ]]; }
	wait_until 5 in_index_both
	which() {
		local args=()
		for i; do
			args+=(-w "$i")
		done
		rr-ls -j "${args[@]}" | jq -r '[.sessions[].id] | join(" ")'
	}
	[[ $(which url=CART) == "$a" ]]
	[[ $(which user=ann) == "$a" ]]
	[[ $(which user=an) == '' ]]
	[[ $(which source=web) == "$a" ]]
	[[ $(which 'text=shop bo') == "$b" ]]
	[[ $(which "text=$c") == "$c" ]]
	[[ $(which min=60) == "$a" ]]
	[[ $(which max=59 state=past) == "$b" ]]
	[[ $(which active=1) == "$a" ]]
	[[ $(which active=2) == '' ]]
	[[ $(which errors=1) == "$a" ]]
	[[ $(which rage=1 user=ann) == "$a" ]]
	[[ $(which rage=1 user=bob) == '' ]]
	[[ $(which dead=1) == '' ]]
	[[ $(which events=7) == "$a" ]]
	[[ $(which pages=1) == "$a" ]]
	[[ $(which state=live) == "$c" ]]
	[[ $(which state=past) == "$b $a" ]]
	[[ $(which state=stopped) == "$b $a" ]]
	[[ $(which state=ended) == '' ]]
	[[ $(which since=1h) == "$c $b $a" ]]
	[[ $(which until=1m) == '' ]]
	[[ $(which since=2026-01-31T12:30 until=2026-02-01) == '' ]]
	i=$(rr-ls -j "$b" | jq .created)
	[[ $(which "since=$i") == "$c $b" ]]
	[[ $(which "until=$i") == "$a" ]]
	# Pages: what is behind one is on the next.
	while page=$(rr-ls -j -n 1 -w url=shop ${after:+-a "$after"}); do
		jq -r '.sessions[].id' <<<"$page"
		((looked += $(jq .looked <<<"$page")))
		after=$(jq -er .next <<<"$page") || break
	done >got
	printf '%s\n' "$c" "$b" "$a" | diff - got
	[[ $looked -eq 3 ]]
	for i in no=1 min=x min= state=no since=soon since=2026-1-1x user; do
		run -64 rr-ls -w "$i"
	done
	run -64 rr-ls -w min=1 "$a"
}

@test "rr rm: by user and time, with a preview and a receipt, and nothing is left" {
	new_basin
	start_collector
	local ann=() bob receipt
	for _ in 1 2; do
		record '{"url":"https://x/\u001b[2J","user":"ann"}'
		ann+=("$id")
		post stop '' '{}' stopped
	done
	record '{"user":"bob"}'
	bob=$id
	in_index_all() { [[ $(index_entries | wc -l) -eq 5 ]]; }
	wait_until 5 in_index_all
	run -64 rr rm
	run -64 rr rm -u ann "$bob"
	run -64 rr rm -u ann
	run -64 rr rm -f -b soon
	run -66 rr rm -f zzzz
	[[ $(rr rm -f -u nobody) == '' ]]
	rr rm -n -u ann >preview
	[[ $(awk '{ print $1 }' preview) == "${ann[1]}"$'\n'"${ann[0]}" ]]
	run ! grep -P '\x1b' preview
	run -0 rr rm -n -b 1h
	[[ $output == '' ]]
	# On a terminal it asks.
	run -0 script -qec 'rr rm -u ann' /dev/null <<<n
	[[ $output == *'Delete 2 of them, for good?'* ]]
	[[ $(rr-ls -j | jq '.sessions | length') -eq 3 ]]
	rr rm -f -x -u ann >receipt
	[[ $(jq -r .deleted receipt) == "${ann[1]}"$'\n'"${ann[0]}" ]]
	[[ $(jq -c '[.stream, .records, .user]' receipt | head -n 1) == \
	    "[\"$(s2-stream name "${ann[1]}" | sed 's,^s2://[^/]*/,,')\",4,\"ann\"]" ]]
	[[ $(jq -r .at receipt | head -n 1) == 20*Z ]]
	[[ $(rr-ls -j | jq -r '.sessions[].id') == "$bob" ]]
	is_forgotten() { [[ $(index_entries) != *"${ann[0]}"* ]]; }
	wait_until 90 is_forgotten
	run ! in_index ann
	in_index bob
	# Without -x too, where it is short.
	rr rm -f -b "$(($(date +%s%3N) + 1000))" >receipt
	[[ $(jq -r .deleted receipt) == "$bob" ]]
	is_forgotten() { [[ $(index_entries) != *"$bob"* ]]; }
	wait_until 90 is_forgotten
	[[ $(rr-ls) == '' ]]
}

@test "rr rm: a long index is left to the janitor, and nothing is counted twice" {
	new_basin
	local ann bob index=s2://$RR_BASIN/sessions.index
	session ':meta {"user":"ann"}'
	ann=$id
	session ':meta {"user":"bob"}'
	bob=$id
	{
		printf ':meta {"id":"%s","meta":{"user":"ann"}}\n' "$ann"
		for _ in 1 2; do
			printf ':meta {"id":"%s","counts":{"events":3,"first":1,"last":2}}\n' "$bob"
		done
		for ((n = 0; n < 1200; n++)); do
			printf ':meta {"id":"%025d"}\n' "$n"
		done
		echo ':end token=1'
	} | rr-frame | s2-append -c "$index" >/dev/null
	# What stands there twice counts once.
	[ "$(rr-ls -j "$bob" | jq .events)" = 3 ]
	rr rm -f "$ann" >/dev/null
	in_index '"user":"ann"'
	in_index "\"id\":\"$ann\",\"gone\":true"
	# One that died while it wrote; and one that is at it.
	s2-stream fence "$index" "rr-$(($(date +%s) - 700))-7" >/dev/null
	RR_LEASE=1 rr-janitor -i >/dev/null
	is_forgotten() { [[ $(index_entries | wc -l) -eq 1 ]]; }
	wait_until 90 is_forgotten
	[ "$(index_entries)" = "{\"id\":\"$bob\",\"counts\":{\"events\":3,\"first\":1,\"last\":2}}" ]
	[ "$(rr-ls -j "$bob" | jq .events)" = 3 ]
	# Others write to it as ever.
	session ':meta {"user":"eve"}'
	index_tells "{\"id\":\"$id\",\"meta\":{\"user\":\"eve\"}}"
	in_index eve
}

# index_tells ENTRY
index_tells() {
	printf ':meta %s\n:end token=1\n' "$1" | rr-frame |
	    s2-append "s2://$RR_BASIN/sessions.index" >/dev/null
}

@test "rr rm: no receipt without a deletion" {
	new_basin
	session ':meta {"user":"ann"}'
	local never
	never=$(s2-stream new)
	# An S2 that takes nothing from us; both ids are whole, so that nothing
	# else asks for them before.
	local port
	port=$(free_port)
	start node -e 'require("http2").createServer().on("stream", (s) => {
		s.respond({ ":status": 403 });
		s.end(`{"code":"permission_denied","message":"no"}`);
	    }).listen(process.argv[1], "127.0.0.1", () => console.log(1))' "$port"
	wait_until 10 test -s "$pid.out"
	S2_ACCOUNT_ENDPOINT=http://127.0.0.1:$port \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:$port \
	    run -77 --separate-stderr rr rm -fx "$id" "$never"
	[[ $output == '' ]]
	[[ $(rr-ls -j | jq -r '.sessions[].id') == "$id" ]]
	run -66 --separate-stderr rr rm -f "$never" "$id"
	[[ $(jq -r .deleted <<<"$output") == "$id" ]]
	[[ $stderr == 's2-stream: delete s2://'*"$never: there is no such stream" ]]
	[[ $(rr-ls) == '' ]]
	run -66 rr rm -fx "$id"
}

@test "rr rm: the examples of its page" {
	new_basin
	session ':meta {"user":"ann"}'
	local ann=$id
	session ':meta {"user":"bob"}'
	page_examples "$ROOT/scripts/rr-rm.1" >script
	bash -euo pipefail script >got
	[[ $(<got) == "$ann "* ]]
	[[ $(jq -r .deleted receipt) == "$ann" ]]
	[[ $(rr-ls -j | jq -r '.sessions[].id') == "$id" ]]
}

@test "changes: who follows the index sees a session as it begins; a receipt" {
	new_basin
	start_collector
	local bridge at
	record '{"url":"first"}'
	wait_until 5 in_index first
	start sse-bridge -v -l 127.0.0.1:0 -x "$ROOT/scripts/routes"
	bridge=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on' "$bridge"
	at=http://$(sed -n 's/.*listening on //p' "$bridge")/api/sessions
	curl -sS "$at" >list
	start curl -sSN "$at/changes?from=$(jq .index list)"
	wait_until 10 grep -q '^event: tail' "$BATS_TEST_TMPDIR/$pid.out"
	record '{"url":"second"}'
	wait_until 5 grep -q "\"id\":\"$id\"" "$BATS_TEST_TMPDIR/$pid.out"
	run ! grep first "$BATS_TEST_TMPDIR/$pid.out"
	curl -sS -X DELETE -H 'X-RR: 1' "$at/$id" >receipt
	[[ $(jq -c '[.deleted, .records]' receipt) == "[\"$id\",2]" ]]
	wait_until 5 grep -q '"gone":true' "$BATS_TEST_TMPDIR/$pid.out"
	[[ $(curl -sS "$at?url=SECOND" | jq -c .sessions) == '[]' ]]
	[[ $(curl -sS -o answer -w '%{http_code}' "$at?since=soon") == 400 ]]
	[[ $(curl -sS -o answer -w '%{http_code}' -X POST -H 'X-RR: 1' \
	    "$at/changes") == 405 ]]
}
