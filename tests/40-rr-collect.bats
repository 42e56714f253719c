# rr-collect: the protocol of rr-ingest(7), on the real ring.

load helper

# start_ring [OPTIONS]: rr-ingest on a port of its own; sets port, collector
# and ring (its pid).
start_ring() {
	port=$(free_port)
	collector=http://127.0.0.1:$port
	start rr-ingest -l "127.0.0.1:$port" -S "$BATS_TEST_TMPDIR/secret" "$@"
	ring=$pid
	wait_until 10 answers /health/ready 200 || {
		cat "$ring.err" >&2
		return 1
	}
}

answers() {
	[[ $(curl -s -o /dev/null -w '%{http_code}' "$collector$1") == "$2" ]]
}

# open_session [CURL OPTIONS]: sets id, token and session (its URL).
open_session() {
	(($#)) || set -- -d '{}'
	curl -sS "$@" "$collector/v1/sessions?key=dev" >open.json
	id=$(jq -er .id open.json)
	token=$(jq -er .token open.json)
	session=$collector/v1/sessions/$id
}

# ask CURL OPTIONS: prints status and answer.
ask() {
	curl -sS -w '%{http_code}' -o answer "$@" >status
	printf '%s %s\n' "$(<status)" "$(<answer)"
}

# says STATUS VERDICT CURL OPTIONS: the answer is that.
says() {
	local want="$1 $2" got
	shift 2
	got=$(ask "$@")
	[[ "${got%% *} $(jq -r .verdict answer)" == "$want" ]] || {
		echo "wanted $want, got: $got" >&2
		echo "from: curl $*" >&2
		return 1
	}
}

# make_token TIME [KEY]: by the secret, as rr-collect makes them: version, key,
# time, MAC.
make_token() {
	local head
	head=$(printf 01; printf '%s' "${2:-dev}" | sha256sum | head -c 16; printf '%08x' "$1")
	{ printf '%s' "$head" | xxd -r -p; printf '%s' "$id"; } |
	    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(<secret)" -binary |
	    head -c 16 | { printf '%s' "$head" | xxd -r -p; cat; } |
	    base64 -w 0 | tr '/+' '_-' | tr -d =
}

# tail_of: how many records the session has.
tail_of() {
	s2-stream tail "$(s2-stream name "$id")" | cut -d ' ' -f 1
}

E='{"type":3,"timestamp":1767225600000,"data":{"source":1}}'
SNAP='{"type":4,"timestamp":1767225600000,"data":{"href":"/"}}
{"type":2,"timestamp":1767225600001,"data":{"node":{}}}'

@test "rr-collect: help, version, wrong use" {
	run -0 rr-collect --help
	[[ $output == 'usage: rr-collect '* ]]
	run -0 rr-collect --version
	[[ $output == 'rr-collect '* ]]
	run -64 rr-collect --what
	run -64 rr-collect extra
	run -64 rr-collect -l nonsense
	[ "${lines[-1]}" = "rr-collect: -l nonsense: expected HOST:PORT, unix:PATH or fd:N" ]
	run -64 rr-collect --max-body many
	run -64 rr-collect -P 10.0.0.0/99
	run -78 rr-collect -k nowhere
	run -78 rr-collect -w nowhere
	echo 'key nonsense' >keys
	run -78 rr-collect -k keys
	[[ $output == "rr-collect: 'keys', line 1: "* ]]
	echo short >secret
	chmod 600 secret
	run -78 rr-collect -S secret
	# Its pipes must be pipes.
	run -64 rr-collect -l 127.0.0.1:0 </dev/null
	run -78 bash -c 'ulimit -n 60; exec rr-collect -l 127.0.0.1:0'
	[ "$output" = 'rr-collect: only 60 descriptors are allowed; see ulimit -n' ]
}

@test "rr-collect, sse-bridge: an address that is taken is to be tried again" {
	local taken option
	taken=127.0.0.1:$(free_port)
	start sse-bridge -v -l "$taken"
	wait_until 10 grep -q listening "$pid.err"
	for option in -l -M; do
		run -75 rr-collect -l 127.0.0.1:0 "$option" "$taken" </dev/null
		[[ ${lines[-1]} == *'Address already in use' ]]
		run -75 sse-bridge -l 127.0.0.1:0 "$option" "$taken"
		[[ $output == *'Address already in use' ]]
		run -78 rr-collect -l 127.0.0.1:0 "$option" unix:no/such </dev/null
		run -78 sse-bridge -l 127.0.0.1:0 "$option" unix:no/such
		# What is no socket stays.
		echo mine >file
		run -78 rr-collect -l 127.0.0.1:0 "$option" unix:file </dev/null
		[[ ${lines[-1]} == *': a file that is no socket is there, and stays: remove it, or take another path: File exists' ]]
		run -78 sse-bridge -l 127.0.0.1:0 "$option" unix:file
		[ "$(cat file)" = mine ]
		run -64 rr-collect -l 127.0.0.1:0 "$option" what </dev/null
		run -64 sse-bridge -l 127.0.0.1:0 "$option" what
	done
}

@test "rr-collect: of many that make the secret file each finds a whole one" {
	for _ in {1..5}; do
		rm -f secret
		# Each ends for want of pipes, behind that.
		seq 16 | xargs -P 16 -I {} bash -c \
		    'rr-collect -S secret -l unix:{} </dev/null 2>&1' >said || :
		[ "$(grep -c 'must be a pipe$' said)" = 16 ] ||
		    fail "$(sort said | uniq -c)"
		grep -qx '[0-9a-f]\{64\}' secret
		[ "$(stat -c %a secret)" = 600 ]
		[ "$(find . -name 'secret*')" = ./secret ]
	done
}

@test "rr-ingest(7): its examples" {
	start_ring
	new_basin_is_set
	cp "$DATA/real-hogflix-four-pages.ndjson" session.ndjson
	head -n 5 session.ndjson >batch.ndjson
	sed -n '/^\.Bd/,/^\.Ed/{/^\./!p}' "$ROOT/bin/rr-collect/rr-ingest.7" |
	    sed 's/\\e$/\\/' >examples
	grep -c . examples
	# The second and third go to a session of their own.
	sed '/^gzip/,$d' examples >first
	sed -n '/^gzip/,$p' examples >rest
	export collector
	bash -euxo pipefail first
	id=$(jq -r .id open.json)
	rr cat "$id" | cmp - session.ndjson
	curl -s -d '{}' "$collector/v1/sessions?key=dev" >open.json
	id=$(jq -r .id open.json) token=$(jq -r .token open.json)
	export token session=$collector/v1/sessions/$id
	bash -euo pipefail rest >answers
	run -0 jq -r '[.verdict, .repeat, .batch] | tostring' answers
	[ "$output" = '["stored",null,1]
["stored",true,1]
["stored",null,null]
["stored",null,3]' ]
	run -3 --separate-stderr rr cat "$id"
	[ "$output" = "$(cat batch.ndjson batch.ndjson)" ]
}

new_basin_is_set() {
	[[ -n $RR_BASIN ]]
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
}

@test "rr-collect: a session, from open to stop" {
	start_ring
	open_session -d '{"url":"https://shop.example/",
		"title":"a \"b\" \\ c"
	}'
	[ "$(jq -c 'keys' open.json)" = '["beat","expires","flush","id","time","token","verdict"]' ]
	run -0 ask -d "$E" "$session/lines?token=$token&tab=5eed&batch=1"
	[ "$output" = '200 {"verdict":"stored","tab":"00005eed","batch":1,"seq":2,"snapshot":true,"watched":false,"flush":5000}' ]
	run -0 ask -d "$E" "$session/lines?token=$token&tab=5eed&batch=1"
	[ "$output" = '200 {"verdict":"stored","tab":"00005eed","batch":1,"seq":2,"repeat":true,"snapshot":true,"watched":false,"flush":5000}' ]
	run -0 ask --data-binary "$SNAP" "$session/lines?token=$token&tab=5eed&batch=2"
	[ "$output" = '200 {"verdict":"stored","tab":"00005eed","batch":2,"seq":3,"watched":false,"flush":5000}' ]
	run -0 ask -d '' "$session/beat?token=$token&tab=5eed"
	[ "$output" = '200 {"verdict":"stored","seq":4,"watched":false,"flush":5000}' ]
	run -0 ask -d '{"user":"ann"}' "$session/meta?token=$token"
	[ "$output" = '200 {"verdict":"stored","seq":5,"watched":false,"flush":5000}' ]
	run -0 ask -d "$E" "$session/lines?token=$token&tab=5eed&batch=3"
	[ "$output" = '200 {"verdict":"stored","tab":"00005eed","batch":3,"seq":6,"watched":false,"flush":5000}' ]
	run -0 ask -d '{"clicks":3}' "$session/stop?token=$token"
	[ "$output" = '200 {"verdict":"stopped"}' ]
	run -0 ask -d '{"clicks":3}' "$session/stop?token=$token"
	[ "$output" = '200 {"verdict":"stopped"}' ]
	run -0 ask -d "$E" "$session/lines?token=$token&tab=5eed&batch=4"
	[ "$output" = '409 {"verdict":"closed","error":"the session was stopped; open a new one"}' ]

	s2-tail "$(s2-stream name "$id")" | rr-reassemble -d |
	    sed 's/ time=[0-9]*//' >lines
	cat >want <<-EOF2
	:fence set=active seq=0
	:meta {"url":"https://shop.example/", 		"title":"a \"b\" \\\\ c" 	} seq=1
	EOF2
	grep -c '^:batch tab=5eed batch=' lines
	[ "$(grep -o '^:batch tab=5eed batch=[0-9]*\( snap=[0-9]*\)*' lines)" = \
':batch tab=5eed batch=1
:batch tab=5eed batch=2
:batch tab=5eed batch=3 snap=3' ]
	[ "$(rr cat "$id")" = "$E
$SNAP
$E" ]
	grep -q '^:meta .*{"user":"ann"}' lines
	grep -q '^:stop .*{"clicks":3}' lines
}

@test "rr-collect: lines without a number get the next" {
	start_ring
	open_session
	local n
	for n in 1 2 3; do
		says 200 stored -d "$E" "$session/lines?token=$token"
		[ "$(jq -c '[.tab,.batch]' answer)" = "[\"00000000\",$n]" ]
	done
	# Ten at a time: each its own.
	printf 'next\nurl = "%s"\ndata = {"n":%d}\noutput = /dev/null\n' \
	    $(for n in {1..10}; do echo "$session/lines?token=$token" "$n"; done) |
	    sed 's/data = {"n":/data = "{\\"n\\":/; s/}$/}"/' >many
	curl -sS --parallel --parallel-immediate -K many
	[ "$(rr cat "$id" | wc -l)" = 13 ]
	[ "$(rr cat "$id" | tail -n 10 | jq -s 'map(.n) | sort | unique | length')" = 10 ]
}

@test "rr-collect: an early batch waits, a hole must be told" {
	start_ring
	open_session
	batch="$session/lines?token=$token&tab=a"
	says 200 stored -d "$E" "$batch&batch=1"
	start curl -sS -o late -d "$E" "$batch&batch=3"
	local late=$pid
	wait_until 5 connected
	says 200 stored -d "$E" "$batch&batch=2"
	ended "$late"
	[ "$(jq -c '[.verdict,.batch]' late)" = '["stored",3]' ]
	# 4 and 5 do not come.
	run -0 ask -d "$E" "$batch&batch=6"
	[ "$output" = '503 {"verdict":"away","error":"earlier batches are missing: send them, or tell that they will not come","want":4,"retry":500}' ]
	says 200 stored -d '' "$session/gap?token=$token&tab=a&batch=4-5&cause=overflow&events=7"
	says 200 stored -d "$E" "$batch&batch=6"
	run -3 --separate-stderr rr cat "$id"
	[ "$(wc -l <<<"$output")" = 4 ]
	s2-tail "$(s2-stream name "$id")" | rr-reassemble -d >all || true
	grep -q '^:gap tab=a batch=4-5 cause=overflow events=7' all
}

@test "rr-collect: what never was a batch is refused, and nothing of it stored" {
	start_ring --max-body 100000
	open_session
	batch="$session/lines?token=$token&tab=a&batch=1"
	local before
	before=$(tail_of)

	# bad NAME LINE COLUMN BODY: with a good line before.
	bad() {
		printf '%s\n%b' "$E" "$4" >body
		says 400 bad --data-binary @body "$batch"
		[ "$(jq -c '[.line,.column]' answer)" = "[$2,$3]" ] || {
			cat answer >&2
			fail "$1"
		}
	}
	bad 'directive' 2 1 ':stop {}\n'
	bad 'directive, no LF' 2 1 ':stop {}'
	bad 'end of the unit' 2 1 ':end token=1\n:stream name=x\n'
	bad 'directive after CR' 2 1 '\r:stop {}\n'
	bad 'blank first' 2 1 ' {"a":1}\n'
	bad 'an array' 2 1 '[1,2]\n'
	bad 'a number' 2 1 '7\n'
	bad 'byte order mark' 2 1 '\xef\xbb\xbf{"a":1}\n'
	bad 'two values' 2 9 '{"a":1} {"b":2}\n'
	bad 'NUL' 2 6 '{"a":\x001}\n'
	bad 'NUL at the end' 2 8 '{"a":1}\x00\n'
	bad 'CR in a string' 2 8 '{"a":"x\ry"}\n'
	bad 'control in a string' 2 8 '{"a":"x\x01y"}\n'
	bad 'not UTF-8' 2 8 '{"a":"x\xff"}\n'
	bad 'cut off' 2 7 '{"a":1\n'
	bad 'cut off string' 2 9 '{"a":"xy\n'
	bad 'too deep' 2 517 "$(printf '{"a":%.0s' 1)$(printf '[%.0s' {1..600})\n"

	says 400 bad -d '' "$batch"
	says 400 bad --data-binary $'\n\n' "$batch"
	says 400 bad --data-binary @<(head -c 1000 /dev/urandom) "$batch&gz=1"
	gzip <<<"$E" >good.gz
	head -c -3 good.gz >cut.gz
	says 400 bad --data-binary @cut.gz "$batch&gz=1"
	cat good.gz good.gz >two.gz
	says 400 bad --data-binary @two.gz "$batch&gz=1"

	# Too much: announced, not announced, unpacked, in number.
	head -c 100001 /dev/zero | tr '\0' a >long
	says 413 big --data-binary @long "$batch"
	says 413 big -H 'Transfer-Encoding: chunked' --data-binary @long "$batch"
	head -c 100000000 /dev/zero | gzip -1 >bomb.gz
	says 413 big --data-binary @bomb.gz "$batch&gz=1"
	yes '{}' | head -n 16384 >many
	says 413 big --data-binary @many "$batch"

	# What the URL says.
	says 400 bad -d "$E" "$session/lines?token=$token&tab=a"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=A&batch=1"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=123456789&batch=1"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=a&batch=0"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=a&batch=-1"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=a&batch=268435456"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=a&batch=1&snap=x"
	says 400 bad -d "$E" "$session/lines?token=$token&tab=a%0a:stop&batch=1"
	says 400 bad -d '' "$session/gap?token=$token&tab=a&batch=2-1&cause=lost"
	says 400 bad -d '' "$session/gap?token=$token&tab=a&batch=1&cause=x%20y"
	says 400 bad -d '' "$session/gap?token=$token&batch=1&cause=lost"

	# Metadata.
	says 400 bad -d '[1]' "$session/meta?token=$token"
	says 400 bad -d '{"a":1' "$session/meta?token=$token"
	says 400 bad -d '{} :stop {}' "$session/meta?token=$token"
	says 413 big --data-binary @long "$session/meta?token=$token"
	says 400 bad -d '{"a":1}{' "$collector/v1/sessions?key=dev"

	[ "$(tail_of)" = "$before" ]
	# It goes on as if nothing had been.
	says 200 stored -d "$E" "$batch"
}

@test "rr-collect: a line end in metadata breaks no line" {
	start_ring
	open_session -d $'{"a":\n1,\r\n\n"b":2}\n'
	says 200 stored --data-binary $'\n\n{"c":3}\n:stop {}' "$session/meta?token=$token" && fail
	says 200 stored --data-binary $'\n{"c":\n":stop {}"}\n' "$session/meta?token=$token"
	run -0 rr ls -j "$id"
	[ "$(jq -c '[.state, .meta.a, .meta.c]' <<<"$output")" = '["live",1,":stop {}"]' ]
}

@test "rr-collect: routes, credentials, origins" {
	cat >keys <<-EOF
	# comment
	shop https://shop.example https://*.shop.example source=shop
	any *
	EOF
	start_ring -k keys
	local open="$collector/v1/sessions?key"
	says 401 denied -d '{}' "$collector/v1/sessions"
	says 401 denied -d '{}' "$open=dev"
	says 401 denied -d '{}' "$open="
	says 201 open -d '{}' "$open=shop"
	says 201 open -d '{}' -H 'Origin: https://shop.example' "$open=shop"
	says 201 open -d '{}' -H 'Origin: https://a.b.shop.example' "$open=shop"
	local origin
	for origin in https://evil.example http://shop.example null \
	    https://shop.example.evil.example https://evilshop.example \
	    https://shop.example:8443 https://evil.example/.shop.example; do
		says 403 denied -d '{}' -H "Origin: $origin" "$open=shop"
		says 201 open -d '{}' -H "Origin: $origin" "$open=any"
	done
	# Refusals can be read by the page.
	run -0 curl -si -d '{}' -H 'Origin: https://evil.example' "$open=shop"
	[[ $output == *$'\r\nAccess-Control-Allow-Origin: https://evil.example\r\n'* ]]
	[[ $output != *Credentials* ]]
	[[ $output == *$'\r\nCache-Control: no-store\r\n'* ]]
	[[ $output == *$'\r\nX-Content-Type-Options: nosniff\r\n'* ]]
	run -0 curl -si -X OPTIONS -H 'Origin: https://shop.example' "$open=shop"
	[[ $output == 'HTTP/1.1 204 '* ]]

	curl -sS -d '{"source":"mine"}' "$open=shop" >open.json
	id=$(jq -r .id open.json) token=$(jq -r .token open.json)
	session=$collector/v1/sessions/$id
	[ "$(rr ls -j "$id" | jq -r .meta.source)" = shop ]
	local a=$session at=$token kind
	curl -sS -d '{}' "$open=any" >open.json
	local b bt
	b=$collector/v1/sessions/$(jq -r .id open.json) bt=$(jq -r .token open.json)
	local c=x
	[[ ${at:20:1} != x ]] || c=y
	for kind in lines beat meta stop 'gap'; do
		local q='tab=a&batch=1&cause=lost'
		says 401 denied -d "$E" "$a/$kind?$q"
		says 401 denied -d "$E" "$a/$kind?$q&token="
		says 401 denied -d "$E" "$a/$kind?$q&token=$bt"
		says 401 denied -d "$E" "$b/$kind?$q&token=$at"
		says 401 denied -d "$E" "$a/$kind?$q&token=${at}A"
		says 401 denied -d "$E" "$a/$kind?$q&token=${at%?}"
		says 401 denied -d "$E" "$a/$kind?$q&token=${at:0:20}$c${at:21}"
		says 401 denied -d "$E" "$collector/v1/sessions/x/$kind?$q&token=$at"
		says 403 denied -d "$E" -H 'Origin: https://evil.example' "$a/$kind?$q&token=$at"
		says 405 bad "$a/$kind?$q&token=$at"
		says 405 bad -X PUT -d "$E" "$a/$kind?$q&token=$at"
	done
	says 404 bad -d "$E" "$a/what?token=$at"
	says 404 bad -d "$E" "$a/lines/x?token=$at"
	says 404 bad -d "$E" "$a?token=$at"
	says 404 bad -d "$E" "$collector/v2/sessions"
	says 404 bad -d "$E" "$collector/"
	# There is nothing to read.
	says 405 bad "$a/lines?token=$at"
	says 405 bad "$open=shop"
	says 404 bad "$collector/v1/"
	[ "$(tail_of)" = 2 ]
}

@test "rr-collect: each route, by credential and origin" {
	printf '%s\n' 'shop https://shop.example' 'other https://other.example' >keys
	start_ring -k keys
	curl -sS -d '{}' "$collector/v1/sessions?key=shop" >open.json
	id=$(jq -r .id open.json)
	session=$collector/v1/sessions/$id
	local good old foreign
	good=$(jq -r .token open.json)
	old=$(make_token $((EPOCHSECONDS - 1)) shop)
	# One of the other key, for this very session: signed, so it counts.
	foreign=$(make_token $((EPOCHSECONDS + 999)) other)
	local kind origin allowed page=https://shop.example rows=0
	# row STATUS VERDICT TOKEN ORIGIN: one row of the table, and what the
	# page is let read of the answer.
	row() {
		local with=()
		[[ -z $4 ]] || with=(-H "Origin: $4")
		says "$1" "$2" "${with[@]}" -D head -d "$body" "$session/$kind?$q&token=$3"
		allowed=$(sed -n 's/\r$//; s/^Access-Control-Allow-Origin: //p' head)
		[ "$allowed" = "$4" ]
		((++rows))
	}
	local n=0 q body
	for kind in lines beat meta gap; do
		for origin in '' "$page"; do
			((++n))
			q="tab=a&batch=$n&cause=lost"
			[[ $kind == lines ]] && body=$E || body={}
			[[ $kind == lines || $kind == gap ]] || ((n--))
			row 200 stored "$good" "$origin"
			row 409 closed "$old" "$origin"
			row 401 denied '' "$origin"
			row 401 denied "${good%??}AA" "$origin"
		done
		for origin in https://evil.example https://other.example null; do
			row 403 denied "$good" "$origin"
			row 403 denied "$old" "$origin"
		done
		row 403 denied "$foreign" "$page"
		run -0 curl -si -X OPTIONS -H "Origin: $page" "$session/$kind?$q"
		[[ $output == 'HTTP/1.1 204 '*"Allow-Origin: $page"* ]]
		# No read, no list, no deleting.
		says 405 bad -H "Origin: $page" "$session/$kind?$q&token=$good"
		says 405 bad -X DELETE "$session/$kind?$q&token=$good"
	done
	kind=stop q='' body={}
	for origin in https://evil.example null; do
		row 403 denied "$good" "$origin"
	done
	row 409 closed "$old" "$page"
	row 401 denied '' "$page"
	row 200 stopped "$good" "$page"
	row 200 stopped "$good" ''
	for kind in lines meta; do
		q='tab=a&batch=99' body=$E
		row 409 closed "$good" "$page"
	done
	((rows == 68))
	# What is there for all.
	[ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Origin: https://evil.example' "$collector/health/live")" = 200 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -H "Origin: $page" "$session")" = 404 ]
	says 404 bad -X DELETE "$collector/"
	says 405 bad "$collector/v1/sessions?key=shop"
}

@test "rr-collect: robots, addresses and sources, by key" {
	cat >keys <<-EOF
	open *
	shut * bots=refuse
	net * address=truncated source=shop
	EOF
	start_ring -k keys -P 127.0.0.1
	local open="$collector/v1/sessions?key" agent
	for agent in 'Mozilla/5.0 (compatible; Googlebot/2.1)' 'HeadlessChrome/1' \
	    'Baiduspider' 'x crawler' ''; do
		says 403 denied -d '{}' -A "$agent" "$open=shut"
		says 201 open -d '{}' -A "$agent" "$open=open"
		says 403 denied -A "$agent" -d '{"projectKey":"shut"}' "$collector/api/sessions"
	done
	for agent in 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0' \
	    'Mozilla/5.0 (Linux; Android 10; CUBOT X30) Chrome/140'; do
		says 201 open -d '{}' -A "$agent" "$open=shut"
	done
	# A session that goes on is not asked.
	id=$(jq -r .id answer) token=$(jq -r .token answer)
	says 200 stored -A Googlebot -d "$E" "$collector/v1/sessions/$id/lines?token=$token"
	# meta_of [CURL OPTIONS]: of a new session.
	meta_of() {
		says 201 open -H 'User-Agent: SECRET-AGENT' "$@"
		rr ls -j "$(jq -r .id answer)" | jq -cS .meta
		s2-tail "$(s2-stream name "$(jq -r .id answer)")" >all
		! grep -aoE '203\.0\.113\.77|SECRET-AGENT|:9:9' all
	}
	local from='X-Forwarded-For: 203.0.113.77'
	[ "$(meta_of -d '{"a":1}' -H "$from" "$open=open")" = '{"a":1}' ]
	[ "$(meta_of -d '{"a":1,"address":"x"}' -H "$from" "$open=net")" = \
	    '{"a":1,"address":"203.0.113.0/24","source":"shop"}' ]
	[ "$(meta_of -d '' -H 'X-Forwarded-For: 2001:db8:7:8:9:9::1' "$open=net")" = \
	    '{"address":"2001:db8:7::/48","source":"shop"}' ]
	# Nor can a page say otherwise later.
	id=$(jq -r .id answer) token=$(jq -r .token answer)
	says 200 stored -d '{"source":"mine","user":"ann"}' -H "$from" \
	    "$collector/v1/sessions/$id/meta?token=$token"
	[ "$(rr ls -j "$id" | jq -cS .meta)" = \
	    '{"address":"203.0.113.0/24","source":"shop","user":"ann"}' ]
	local word
	for word in bots=allow address=whole sample=101 sample=x preset=none; do
		echo "a * $word" >bad
		run -78 rr-collect -k bad
	done
}

@test "rr-collect: a key's share of sessions, and its preset" {
	printf '%s\n' 'none * sample=0' 'all * sample=100' 'half * sample=50' \
	    'masked * preset=strict' >keys
	start_ring -k keys
	local open="$collector/v1/sessions?key" i
	: >verdicts
	for ((i = 0; i < 60; i++)); do
		says 200 unsampled -d '{}' "$open=none"
		[ "$(<answer)" = '{"verdict":"unsampled"}' ]
		curl -sS -d '{}' "$open=half" | jq -r .verdict >>verdicts
	done
	[ "$(sort -u verdicts)" = $'open\nunsampled' ]
	says 201 open -d '{}' "$open=all"
	[ "$(jq .preset answer)" = null ]
	says 201 open -d '{}' "$open=masked"
	[ "$(jq -r .preset answer)" = strict ]
	# Its recorder would not know what that is.
	ask -d '{"projectKey":"none"}' "$collector/api/sessions" | grep -q '^201'
	[ "$(rr ls -j | jq '.sessions | length')" = \
	    $(($(grep -c open verdicts) + 3)) ]
}

@test "rr-collect: what opens a session is held to the key's preset" {
	printf '%s\n' 'none *' 'loose * preset=open' 'mid * preset=balanced' \
	    'tight * preset=strict source=shop' >keys
	start_ring -k keys
	local url='https://a.example/p?q=SECRET' title='"title":"SECRET"'
	# held KEY OBJECT: what is stored of it, with nothing secret in it.
	held() {
		says 201 open -d "$2" "$collector/v1/sessions?key=$1"
		id=$(jq -r .id answer) token=$(jq -r .token answer)
		rr ls -j "$id" | jq -c .meta
		s2-tail "$(s2-stream name "$id")" >all
		! grep -aq SECRET all
	}
	run ! held none "{\"url\":\"$url\"}"
	[ "$output" = "{\"url\":\"$url\"}" ]
	run ! held loose "{\"url\":\"$url\"}"
	[ "$output" = "{\"url\":\"$url\"}" ]
	run -0 held mid "{\"url\":\"$url\",\"n\":7,\"referrer\":\"/x#SECRET\",\"user\":\"a?b\"}"
	[ "$output" = '{"url":"https://a.example/p","n":7,"referrer":"/x","user":"a?b","privacy":"balanced"}' ]
	run -0 held mid '{"url":"\/\\\u003fSECRET" }'
	[ "$output" = '{"url":"/\\","privacy":"balanced"}' ]
	run -0 held mid '{ }'
	[ "$output" = '{"privacy":"balanced"}' ]
	run ! held mid "{$title,\"privacy\":\"open\"}"
	[ "$output" = "{$title,\"privacy\":\"balanced\"}" ]
	run -0 held tight "{\"url\":[\"SECRET\"],$title,\"privacy\":\"balanced\"}"
	[ "$output" = '{"url":"","title":"","privacy":"strict","source":"shop"}' ]
	# Its recorder did so itself, and knows which keys of a query may stay.
	run -0 held mid '{"url":"/?lang=en","title":"A","privacy":"balanced"}'
	[ "$output" = '{"url":"/?lang=en","title":"A","privacy":"balanced"}' ]
	run -0 held tight '{"url":"/?lang=en","title":"","privacy":"strict"}'
	# Nor is it stored later, or by RePlaya's routes.
	id=$(jq -r .id answer) token=$(jq -r .token answer)
	says 200 stored -d "{\"url\":\"$url\",$title,\"user\":\"ann\"}" \
	    "$collector/v1/sessions/$id/meta?token=$token"
	says 200 stopped -d "{$title,\"clicks\":3}" \
	    "$collector/v1/sessions/$id/stop?token=$token"
	ask -d "{\"projectKey\":\"tight\",\"url\":\"$url\",$title}" \
	    "$collector/api/sessions" >said
	s2-tail "$(s2-stream name "$(jq -r .session.id answer)")" >all
	s2-tail "$(s2-stream name "$id")" >>all
	grep -aq '"clicks":3' all
	in_index() {
		s2-tail "s2://$RR_BASIN/sessions.index" | rr-reassemble -d |
		    grep -F "$id" >>all && grep -q '"stop"' all
	}
	wait_until 10 in_index
	! grep -aq SECRET all
}

@test "rr-collect: a key's limit holds before a body is read" {
	echo 'one * opens=1' >keys
	start_ring -k keys -M "unix:$PWD/metrics"
	says 201 open -d '{}' "$collector/v1/sessions?key=one"
	wire() {
		curl -s --unix-socket metrics http://x/metrics | grep 'bytes_total{form="wire"}'
	}
	local before
	before=$(wire)
	head -c 10000 /dev/zero | tr '\0' ' ' >body
	says 429 slow --data-binary @body "$collector/v1/sessions?key=one"
	says 429 slow --data-binary @body -H 'X-Replaya-Project-Key: one' "$collector/api/sessions"
	says 401 denied --data-binary @body -H 'X-Replaya-Project-Key: two' "$collector/api/sessions"
	[ "$(wire)" = "$before" ]
}

@test "rr-collect: keys are read again, and one withdrawn is denied" {
	echo 'one *' >keys
	start_ring -k keys
	curl -sS -d '{}' "$collector/v1/sessions?key=one" >open.json
	session=$collector/v1/sessions/$(jq -r .id open.json)
	token=$(jq -r .token open.json)
	says 200 stored -d "$E" "$session/lines?token=$token"
	echo 'two *' >keys
	pkill -HUP -g "$ring" rr-collect
	wait_until 5 says 401 denied -d "$E" "$session/lines?token=$token"
	says 401 denied -d '{}' "$collector/v1/sessions?key=one"
	says 201 open -d '{}' "$collector/v1/sessions?key=two"
	# A wrong file changes nothing.
	echo 'two' >keys
	pkill -HUP -g "$ring" rr-collect
	wait_until 5 grep -q 'the keys stay as they were' "$ring.err"
	says 201 open -d '{}' "$collector/v1/sessions?key=two"
	echo 'one *' >keys
	pkill -HUP -g "$ring" rr-collect
	wait_until 5 says 200 stored -d "$E" "$session/lines?token=$token"
}

@test "rr-collect: without a key file only this machine records" {
	start_ring -P 127.0.0.1
	local open="$collector/v1/sessions?key=dev"
	says 201 open -d '{}' "$open"
	says 201 open -d '{}' -H 'Origin: http://localhost:3000' "$open"
	says 201 open -d '{}' -H 'Origin: http://[::1]' "$open"
	says 403 denied -d '{}' -H 'Origin: https://localhost.evil.example' "$open"
	says 403 denied -d '{}' -H 'Origin: https://evil.example' "$open"
	says 403 denied -d '{}' -H 'X-Forwarded-For: 203.0.113.9' "$open"
	says 201 open -d '{}' -H 'X-Forwarded-For: 203.0.113.9, 127.0.0.1' "$open" && fail
	says 403 denied -d '{}' -H 'X-Forwarded-For: 203.0.113.9, 127.0.0.1' "$open"
	says 201 open -d '{}' -H 'X-Forwarded-For: junk' "$open"
}

@test "rr-collect: tokens expire, and are renewed before" {
	start_ring
	open_session
	[ "$(stat -c %a secret)" = 600 ]
	[ "$(make_token $(($(jq .expires open.json) / 1000)))" = "$token" ]
	says 409 closed -d "$E" "$session/lines?token=$(make_token $((EPOCHSECONDS - 1)))"
	says 200 stored -d "$E" "$session/lines?token=$token"
	[ "$(jq .token answer)" = null ]
	says 200 stored -d "$E" "$session/lines?token=$(make_token $((EPOCHSECONDS + 3600)))"
	token=$(jq -r .token answer)
	(($(jq .expires answer) > (EPOCHSECONDS + 86400) * 1000))
	says 200 stored -d "$E" "$session/lines?token=$token"
	# A new secret before the old one: both are good.
	{ openssl rand -hex 32; cat secret; } >new
	chmod 600 new
	stop "$ring"
	mv new secret
	start_ring
	session=$collector/v1/sessions/$id
	says 200 stored -d "$E" "$session/lines?token=$token"
	chmod 644 secret
	run -78 rr-collect -S secret
}

@test "rr-collect: too many from one address or with one key wait" {
	echo 'one * opens=3' >keys
	start_ring -P 127.0.0.1 -k keys --opens 2 --posts 1
	local open="$collector/v1/sessions?key=one" from='X-Forwarded-For: 203.0.113'
	says 201 open -d '{}' -H "$from.1" "$open"
	says 201 open -d '{}' -H "$from.1" "$open"
	says 429 slow -d '{}' -H "$from.1" "$open"
	(($(jq .retry answer) > 1000))
	run -0 curl -si -d '{}' -H "$from.1" "$open"
	[[ $output =~ Retry-After:\ [0-9]+ ]]
	says 201 open -d '{}' -H "$from.2" "$open"
	id=$(jq -r .id answer) token=$(jq -r .token answer)
	# The key's own limit.
	says 429 slow -d '{}' -H "$from.3" "$open"
	local n
	# A made-up address on the left changes nothing.
	session=$collector/v1/sessions/$id
	for n in {1..10}; do
		says 200 stored -d '' -H "$from.7" "$session/beat?token=$token"
	done
	wait_until 10 says 429 slow -d '' -H "$from.7" "$session/beat?token=$token"
	wait_until 10 says 429 slow -d '' -H "X-Forwarded-For: 198.51.100.$RANDOM, 203.0.113.7" "$session/beat?token=$token"
	says 200 stored -d "$E" -H "$from.8" "$session/lines?token=$token"
}

@test "rr-collect: static files" {
	mkdir web
	echo 'rr()' >web/rr.js
	echo 'packed' | gzip >web/rr.js.gz
	echo 'hashed' >web/rr.0a1b2c3d.js
	echo secret >web/.hidden
	echo outside >outside
	ln -s ../outside web/link
	start_ring -w web
	[ "$(curl -s "$collector/rr.js")" = 'rr()' ]
	[ "$(curl -s --compressed "$collector/rr.js")" = packed ]
	run -0 curl -si "$collector/rr.js"
	[[ $output == *$'\r\nContent-Type: text/javascript; charset=utf-8\r\n'* ]]
	[[ $output == *$'\r\nAccess-Control-Allow-Origin: *\r\n'* ]]
	[[ $output == *$'\r\nCache-Control: public, max-age=300\r\n'* ]]
	local etag
	etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' <<<"$output")
	run -0 curl -si -H "If-None-Match: $etag" "$collector/rr.js"
	[[ $output == 'HTTP/1.1 304 '* ]]
	run -0 curl -si "$collector/rr.0a1b2c3d.js"
	[[ $output == *'max-age=31536000, immutable'* ]]
	local path
	for path in /.hidden /link /../outside /%2e%2e/outside /..%2foutside \
	    /web/ / /nothing; do
		run -0 curl -s -o /dev/null -w '%{http_code}' --path-as-is "$collector$path"
		[ "$output" = 404 ]
	done
}

# raw TEXT: sends a request, with one for /health/live behind it, as printf
# writes it, and prints the statuses of what is answered until the connection
# is closed; "open" if it is not.
raw() {
	local answer
	# shellcheck disable=SC2059 # it is the format
	printf "$1"'GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >request
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	cat request >&4		# at once: who is refused may not read it all
	answer=$(timeout 5 cat <&4) || answer+=' HTTP/1.1 open'
	exec 4>&-
	grep -ao 'HTTP/1.1 [0-9a-z]*' <<<"$answer" | cut -d ' ' -f 2 | paste -sd ' '
}

@test "rr-collect: a request that ends in two places is refused, and all behind it" {
	local head='POST /v1/sessions?key=dev HTTP/1.1\r\nHost: a\r\n'
	local chunks='2\r\n{}\r\n0\r\n\r\n'
	start_ring
	run -0 raw "${head}Content-Length: 2\r\n\r\n{}"
	[ "$output" = '201 200' ]
	run -0 raw "${head}transfer-encoding: Chunked\r\n\r\n$chunks"
	[ "$output" = '201 200' ]
	while read -r headers; do
		echo "# $headers"
		run -0 raw "$head$headers\r\n\r\n$chunks"
		[ "$output" = 400 ]
	done <<-'END'
		Content-Length: 2\r\nTransfer-Encoding: chunked
		Transfer-Encoding: chunked\r\nContent-Length: 2
		Content-Length: 2\r\nContent-Length: 12
		Content-Length: 12\r\ncontent-length: 12
		Content-Length : 12
		Content-Length: 18446744073709551615
		Transfer-Encoding: xchunked
		Transfer-Encoding: gzip, chunked
		Transfer-Encoding: identity
		Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked
		Transfer-Encoding : chunked
		Transfer-Encoding: \013chunked
		Content-Length: 12\r\nX: a\r Transfer-Encoding: chunked
		Content-Length: 12\r\nX: \033[2J
		Content-Length: 12\r\nHost: b
	END
	run -0 raw "${head/1.1/1.0}Transfer-Encoding: chunked\r\n\r\n$chunks"
	[ "$output" = 400 ]
	# What is no path is no file's name either.
	start_ring -w "$BUILD/web"
	run -0 raw 'GET ?rr.js HTTP/1.1\r\nHost: a\r\n\r\n'
	[ "$output" = '404 200' ]
	run -0 raw 'GET /rr.js HTTP/1.1\r\nHost: a\r\n\r\n'
	[ "$output" = '200 200' ]
}

# happened TAB N MS [QUERY]: what was in tab TAB at MS by its clock, as the tab's
# next batch, the first with a snapshot; prints the offset that it got.
happened() {
	n[$1]=$((${n[$1]:-0} + 1))
	{
		((n[$1] > 1)) || printf '{"type":%d,"timestamp":%d}\n' \
		    4 "$3" 2 "$3"
		printf '{"type":3,"data":{"n":%d},"timestamp":%d}\n' "$2" "$3"
	} >"event.$2"
	curl -sS --data-binary "@event.$2" \
	    "$session/lines?token=$token&tab=$1&batch=${n[$1]}&$4" |
	    jq -e 'select(.verdict == "stored") | .offset // 0'
}

@test "rr-collect: tabs with clocks that are wrong are one timeline" {
	local -A n skew=([a]=86400000 [b]=0 [c]=-3600000) offset
	local tabs=(a b c b a c) i tab t0 now
	start_ring
	open_session
	# Six things, 100 s from each other by a clock that is right.
	t0=$((${EPOCHREALTIME/[.,]/} / 1000 - 600000))
	for i in "${!tabs[@]}"; do
		tab=${tabs[i]}
		now=$((${EPOCHREALTIME/[.,]/} / 1000 + skew[$tab]))
		happened "$tab" "$i" $((t0 + i * 100000 + skew[$tab])) \
		    "${offset[$tab]:-at=$now}" >got
		[[ ${offset[$tab]:-offset=$(<got)} == "offset=$(<got)" ]]
		offset[$tab]=offset=$(<got)
	done
	[[ ${offset[b]} == offset=0 ]]
	# What was told once holds as long as it is not off by a minute.
	happened a 6 $((t0 + 600000 + 86400000)) "${offset[a]}&at=$((now + 90030000 - 50000))" >got
	[[ offset=$(<got) == "${offset[a]}" ]]

	uri=$(s2-stream name "$id")
	s2-tail "$uri" | rr-reassemble -d >lines
	# Each at its time, give or take what a slow machine takes to send it.
	grep '^:batch' lines | awk -v t0="$t0" '
		{ sub(/.* first=/, ""); late = $1 - t0 - (NR - 1) * 100000
		    if (late < -10 || late > 60000) exit bad = 1 }
		END { exit bad || NR != 7 }'
	[[ $(grep -c ' offset=-86' lines) -eq 3 ]]
	[[ $(grep -c ' offset=36' lines) -eq 2 ]]
	# No byte of an event is another.
	rr cat "$id" | cmp - <(cat event.{0..6})
	# The same lines are the same records again.
	rr-frame -i lines | rr-reassemble -d >again
	sed -i '/^:batch/!d; s/ snap=[0-9]*//; s/ seq=.* time=[0-9]*//' again
	sed '/^:batch/!d; s/ snap=[0-9]*//; s/ seq=.* time=[0-9]*//' lines |
	    cmp - again
	# From between the second and the third to between the fifth and sixth.
	local from=$((t0 + 150000)) to=$((t0 + 480000))
	rr cat -s "@$from" -e "@$to" "$id" | cmp - <(cat event.{2..4})
	rr-clip "$from" "$to" <lines | grep '^{' | cmp - <(cat event.{2..4})
	rr-outline <lines | grep -c ' offset=' >got
	[[ $(<got) -eq 5 ]]
	rr stat -j "$id" | jq -e '.duration > 590000 and .duration < 660000'
	rr ls -j "$id" | jq -e --argjson t "$t0" \
	    '.first - $t | . > -11 and . < 60000'
	s2-tail -s "at=$((t0 + 350000)),a" -n 1 "$uri" | rr-reassemble >got
	tail -1 got | cmp - event.4
	id=$(rr cut "$id" "@$t0" "@$to")
	rr cat "$id" | cmp - <(cat event.{0..4})
	rr stat -j "$id" | jq -e '.duration > 390000 and .duration < 460000'

	# What another tab had is not for one whose clock is right.
	open_session
	now=$((${EPOCHREALTIME/[.,]/} / 1000))
	happened d 9 "$now" "offset=-90000&at=$((now - 20))" >got
	[[ $(<got) == 0 ]]
}

@test "rr-collect: sessions that are watched flush sooner" {
	mkdir watched
	start_ring -W watched
	open_session
	says 200 stored -d "$E" "$session/lines?token=$token"
	[ "$(jq -c '[.watched,.flush]' answer)" = '[false,5000]' ]
	touch "watched/$id"
	is_watched() {
		says 200 stored -d '' "$session/beat?token=$token" &&
		    [ "$(jq -c '[.watched,.flush]' answer)" = '[true,250]' ]
	}
	wait_until 5 is_watched
	touch -d '40 seconds ago' "watched/$id"
	is_not_watched() {
		! is_watched
	}
	wait_until 5 is_not_watched
}

@test "rr-collect: on a socket file, behind a proxy" {
	port=$(free_port)
	echo 'one *' >keys
	start rr-ingest -l "unix:$PWD/sock,0660" -P unix -k keys -S secret --opens 1
	ring=$pid
	wait_until 10 test -S sock
	[ "$(stat -c %a sock)" = 660 ]
	wait_until 10 eval '[[ $(curl -s --unix-socket sock http://x/health/ready) == *true* ]]'
	says 201 open --unix-socket sock -H 'X-Forwarded-For: 203.0.113.1' -d '{}' 'http://x/v1/sessions?key=one'
	says 429 slow --unix-socket sock -H 'X-Forwarded-For: 203.0.113.1' -d '{}' 'http://x/v1/sessions?key=one'
	says 201 open --unix-socket sock -H 'X-Forwarded-For: 203.0.113.2' -d '{}' 'http://x/v1/sessions?key=one'
	stop "$ring"
	[ ! -e sock ]
}

@test "rr-collect: S2 away: away, not ready; then all goes on" {
	start_s2 s2
	new_basin
	start_ring -M "unix:$PWD/metrics"
	open_session
	says 200 stored -d "$E" "$session/lines?token=$token&tab=a&batch=1"
	kill -STOP -- "-$s2_pid"
	local begun=$SECONDS
	# What was proved lately counts for two seconds.
	wait_until 8 answers /health/ready 503
	((SECONDS - begun <= 6))
	answers /health/live 200
	kill -KILL -- "-$s2_pid"
	start curl -sS -m 60 -o away -w '%{http_code}' -d "$E" "$session/lines?token=$token&tab=a&batch=2"
	local waiting=$pid
	ended "$waiting" 50
	[ "$(cat "$waiting.out")" = 503 ]
	[ "$(jq -r .verdict away)" = away ]
	curl -s --unix-socket metrics http://x/metrics | grep -E '^rrpipe_collect_refused_total.* [1-9]' |
	    cmp - <(echo 'rrpipe_collect_refused_total{verdict="away",reason="storage"} 1')
	start_s2 s2
	stores_it() {
		says 200 stored -d "$E" "$session/lines?token=$token&tab=a&batch=2"
	}
	wait_until 30 stores_it
	wait_until 10 answers /health/ready 200
	[ "$(rr cat "$id" | wc -l)" = 2 ]
	# An S2 that has lost everything, and the basin made again.
	kill -KILL -- "-$s2_pid"
	start_s2
	missing() {
		says 503 away -d '{}' "$collector/v1/sessions?key=dev"
		curl -s "$collector/health/ready" | grep -q 'the basin is missing'
	}
	wait_until 30 missing
	s2-stream ensure "s2://$RR_BASIN" >/dev/null
	wait_until 20 answers /health/ready 200
	says 201 open -d '{}' "$collector/v1/sessions?key=dev"
}

@test "rr-collect: TERM answers what there is, then ends with 0" {
	start_s2
	new_basin
	start_ring
	open_session
	kill -STOP -- "-$s2_pid"
	start curl -sS -o answer -w '%{http_code}' -d "$E" "$session/lines?token=$token&tab=a&batch=1"
	local waiting=$pid
	wait_until 5 connected
	kill -TERM "$ring"
	wait_until 5 refused
	kill -CONT -- "-$s2_pid"
	ended "$waiting"
	[ "$(cat "$waiting.out")" = 200 ]
	ended "$ring"
}

connected() {
	[[ -n $(ss -Htn state established "sport = :$port") ]]
}

refused() {
	! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

@test "rr-collect: when the ring dies it ends, not with 0" {
	mkfifo acks
	start bash -c 'sleep 100 >acks & rr-collect -l 127.0.0.1:0 <acks | sleep 0.2; exit "${PIPESTATUS[0]}"'
	local status=0
	ended "$pid" 10 || status=$?
	[ "$status" = 1 ]
	start bash -c 'rr-collect -l 127.0.0.1:0 < <(sleep 0.2) | cat; exit "${PIPESTATUS[0]}"'
	status=0
	ended "$pid" 10 || status=$?
	[ "$status" = 1 ]
	grep -q 'the ring is broken' "$pid.err"
}

@test "rr-collect: RePlaya's recorder can be pointed here" {
	echo 'shop https://shop.example' >keys
	start_ring -k keys
	local api=$collector/api/sessions
	replaya() {
		curl -sS -H 'Content-Type: application/json' \
		    -H 'Origin: https://shop.example' -w '%{http_code}' "$@"
	}
	run -0 curl -si -X OPTIONS -H 'Origin: https://shop.example' "$api"
	[[ $output == 'HTTP/1.1 204 '* ]]
	[[ $output == *x-replaya-session-token* ]]
	[[ $output == *'Allow-Credentials: true'* ]]

	[ "$(replaya -o answer -d '{"title":"a"}' "$api")" = 401 ]
	[ "$(replaya -o answer -d '{"title":"a","projectKey":"no"}' "$api")" = 401 ]
	says 403 denied -d '{"projectKey":"shop"}' -H 'Origin: https://evil.example' "$api"
	[ "$(replaya -o answer -d '{"projectKey":"shop","title":"A\u00e9 page","userId":"ann","url":"https://shop.example/","x":1}' "$api")" = 201 ]
	id=$(jq -r .session.id answer) token=$(jq -r .appendToken answer)
	[ "$(jq -r .session.status answer)" = active ]
	[ "$(replaya -o answer -H 'X-Replaya-Project-Key: shop' -d '{}' "$api")" = 201 ]

	# The events are stored as they stand there, whatever is between them.
	local a='{"type":4,"timestamp":1.0,"data":{"n":1e3}}' b='{"type":2, "timestamp":2,"data":{"s":"\u2028,]"}}'
	local c='{"type":3,"timestamp":3}' d='{"type":3,"timestamp":4}'
	run -0 replaya -d "{\"sessionToken\":\"$token\",\"events\":[$a , $b
	],\"eventCount\":2}" "$api/$id/events"
	[ "$output" = $'{"appended":2,"tailSeqNum":3}\n200' ]
	# Sent again, as it was and with more; and an array alone.
	run -0 replaya -d "{\"sessionToken\":\"$token\",\"events\":[$a,$b]}" "$api/$id/events"
	[ "$output" = $'{"appended":2,"tailSeqNum":3}\n200' ]
	run -0 replaya -d "{\"sessionToken\":\"$token\",\"events\":[$a,$b,$c]}" "$api/$id/events"
	[ "$output" = $'{"appended":3,"tailSeqNum":4}\n200' ]
	run -0 replaya -H "X-Replaya-Session-Token: $token" -d "[$d,$c]" "$api/$id/events"
	[ "$output" = $'{"appended":2,"tailSeqNum":5}\n200' ]
	run -0 replaya -d "{\"sessionToken\":\"$token\"}" "$api/$id/heartbeat"
	[ "$output" = $'{"appended":1,"tailSeqNum":6}\n200' ]

	[ "$(replaya -o answer -d '{"events":[]}' "$api/$id/events")" = 400 ]
	[ "$(replaya -o answer -d "{\"events\":[$a]}" "$api/$id/events")" = 401 ]
	[ "$(replaya -o answer -d "{\"sessionToken\":\"$token\",\"events\":[$a,7]}" "$api/$id/events")" = 400 ]
	[ "$(replaya -o answer -d "{\"sessionToken\":\"$token\",\"events\":[$a" "$api/$id/events")" = 400 ]
	[ "$(replaya -o answer -d "{\"sessionToken\":\"$token\",\"events\":{}}" "$api/$id/events")" = 400 ]
	[ "$(replaya -o answer "$api/$id/events")" = 405 ]
	[ "$(replaya -o answer -d '{}' "$api/$id/delete")" = 404 ]

	run -0 replaya -d "{\"sessionToken\":\"$token\",\"title\":\"A\",\"eventCount\":5}" "$api/$id/stop"
	[ "$output" = "{\"session\":{\"id\":\"$id\",\"status\":\"stopped\",\"stopReason\":\"explicit-stop\",\"events\":[]}}
200" ]
	run -0 replaya -d "{\"sessionToken\":\"$token\",\"events\":[$a]}" "$api/$id/events"
	[ "$output" = $'{"appended":0,"tailSeqNum":null}\n200' ]
	[ "$(rr cat "$id")" = "$a
$b
$c
$d
$c" ]
	s2-tail "$(s2-stream name "$id")" | rr-reassemble -d >all
	grep -q '^:meta .*{"title":"A\\u00e9 page","url":"https://shop.example/","user":"ann"}$' all
	grep -q '^:stop .*{"title":"A","events":5}$' all
	! grep -qF "$token" all
}

@test "rr-collect: a key's program goes over each event, its days to S2" {
	cat >redact.jq <<-'EOF'
	if .type == 5 then error("no")
	elif .type == 3 then empty
	elif .data.email then .data.email = "x"
	else . end
	EOF
	echo 'one * filter=redact.jq days=3' >keys
	start_ring -k keys
	curl -sS -d '{}' "$collector/v1/sessions?key=one" >open.json
	id=$(jq -r .id open.json) token=$(jq -r .token open.json)
	session=$collector/v1/sessions/$id
	s2-stream config -j "$(s2-stream name "$id")" | grep -q 259200
	printf '%s\n' '{"type":4,"timestamp":1.50}' '{"type":2,"timestamp":2}' \
	    '{"type":3}' '{"type":5}' '{"type":6,"data":{"email":"a@b"}}' >body
	says 200 stored --data-binary @body "$session/lines?token=$token&tab=a&batch=1"
	[ "$(jq .seq answer)" = 3 ]
	# Nothing is left of it, but its number.
	says 200 stored -d '{"type":3}' "$session/lines?token=$token&tab=a&batch=2"
	says 200 stored -d '{"type":6}' "$session/lines?token=$token&tab=a&batch=3"
	run -3 --separate-stderr rr cat "$id"
	[ "$output" = '{"type":4,"timestamp":1.50}
{"type":2,"timestamp":2}
{"type":6,"data":{"email":"x"}}
{"type":6}' ]
	s2-tail "$(s2-stream name "$id")" | rr-reassemble -d >all || true
	grep -q '^:gap tab=a batch=1 cause=filter events=1' all
	grep -q '^:batch tab=a batch=3 .*snap=3 ' all
	! grep -q 'a@b' all
	echo 'one * filter=broken.jq' >keys
	echo 'if' >broken.jq
	run -78 rr-collect -k keys
	[[ ${lines[-1]} == "rr-collect: 'keys', line 1: 'broken.jq': "* ]]
	echo 'one * opens=x' >keys
	run -78 rr-collect -k keys --check
	[ "$output" = "rr-collect: 'keys', line 1: 'opens=x' is no number from 0 to 1000000" ]
	echo 'one ftp' >keys
	run -78 rr-collect -k keys --check
	[[ $output == "rr-collect: 'keys', line 1: 'ftp' is neither an origin "* ]]
}

@test "rr-collect: what a key's program makes too long is left out" {
	echo 'if .n then .x = ("y" * .n) else . end' >long.jq
	echo 'one * filter=long.jq' >keys
	start_ring -k keys --max-body 2000
	curl -sS -d '{}' "$collector/v1/sessions?key=one" >open.json
	id=$(jq -r .id open.json) token=$(jq -r .token open.json)
	session=$collector/v1/sessions/$id
	printf '%s\n' '{"type":3,"n":100}' '{"type":3,"n":2000}' '{"type":3,"a":1}' \
	    '{"type":3,"n":1900}' '{"type":3,"n":10}' >body
	says 200 stored --data-binary @body "$session/lines?token=$token&tab=a&batch=1"
	run -3 --separate-stderr rr cat "$id"
	[ "$(jq -c .n <<<"$output" | paste -sd ' ')" = '100 null 10' ]
	s2-tail "$(s2-stream name "$id")" | rr-reassemble -d >all || true
	grep -q '^:gap tab=a batch=1 cause=filter events=2 ' all
}

@test "rr-collect: a key's program that loops or crashes costs its event alone" {
	cat >bad.jq <<-'EOF'
	def loop: loop;
	if .loop then loop elif .large then reduce range(40) as $i (.; .x += .x + "x")
	elif .deep then reduce range(300000) as $i (1; [.]) | {a: .}
	else . end
	EOF
	printf '%s\n' 'bad * filter=bad.jq' 'fine * filter=fine.jq' >keys
	echo . >fine.jq
	start_ring -k keys -M "unix:$PWD/metrics"
	local collect fds program loaded why
	collect=$(pgrep -g "$ring" -x rr-collect)
	# post KEY NUMBER [EVENT...]: a batch of these events into its session.
	post() {
		[[ -e $1.json ]] ||
			curl -sS -d '{}' "$collector/v1/sessions?key=$1" >"$1.json"
		# Of two at once each has its answer in a place of its own.
		printf '{"type":3%s}\n' "${@:3}" | (
			mkdir -p "$1.answer"
			cd "$1.answer"
			says 200 stored --data-binary @- "$collector/v1/sessions/$(
			    jq -r '"\(.id)/lines?token=\(.token)"' "../$1.json")&tab=a&batch=$2"
		)
	}
	programs() { pgrep -P "$collect" -x rr-filter; }
	post fine 1 ',"a":0'
	post bad 1 ',"a":1'
	fds=$(ls "/proc/$collect/fd" | wc -l)
	# They have nothing of the collector's.
	for program in $(programs); do
		[ "$(ls "/proc/$program/fd" | paste -sd ' ')" = '0 1 2' ]
	done

	# Two of its events end it; another key is served meanwhile.
	post bad 2 ',"a":2' ',"loop":1' ',"a":3' ',"large":1' ',"a":4' 3>&- &
	loaded=$!
	post fine 2 ',"a":0'
	kill -0 "$loaded"
	wait "$loaded"
	# What jq cannot print without an end of its stack.
	post bad 3 ',"deep":1' ',"a":5'
	run -3 --separate-stderr rr cat "$(jq -r .id bad.json)"
	[ "$(jq -c .a <<<"$output" | paste -sd ' ')" = '1 2 3 4 5' ]
	s2-tail "$(s2-stream name "$(jq -r .id bad.json)")" |
		rr-reassemble -d >all || true
	grep -q '^:gap tab=a batch=2 cause=filter events=2' all
	grep -q '^:gap tab=a batch=3 cause=filter events=1' all
	curl -sS --unix-socket metrics http://x/metrics >figures
	grep -Fxq 'rrpipe_collect_gaps_total{cause="filter"} 2' figures
	# Sanitizers need more memory than such a process may have.
	why='it needs too much memory'
	[[ $BUILD != *-sanitize ]] || why='.*'
	grep -q "its program failed on 2 events of session .*: $why\$" "$ring.err"

	# A batch that has begun is done by the program there was.
	post bad 4 ',"loop":1' ',"a":6' 3>&- &
	loaded=$!
	wait_until 30 eval '[ "$(curl -sS --unix-socket metrics http://x/metrics |
		sed -n "s/^rrpipe_collect_waiting_requests //p")" = 1 ]'
	echo '.b = 1' >bad.jq
	kill -s HUP "$ring"
	wait_until 10 grep -q 'keys were read again' "$ring.err"
	wait "$loaded"
	post bad 5 ',"a":7'
	# One that was killed is started again.
	kill -s KILL $(programs)
	post bad 6 ',"a":8'
	run -3 --separate-stderr rr cat "$(jq -r .id bad.json)"
	[ "$(tail -n 3 <<<"$output")" = '{"type":3,"a":6}
{"type":3,"a":7,"b":1}
{"type":3,"a":8,"b":1}' ]
	[ "$(programs | wc -l)" = 1 ]
	post fine 3 ',"a":0'
	[ "$(ls "/proc/$collect/fd" | wc -l)" = "$fds" ]
	[ -z "$(ps -o stat= --ppid "$collect" | grep Z)" ]
	# None outlives the collector.
	program=$(programs)
	kill -s KILL "$collect"
	for program in $program; do
		wait_until 10 gone "$program"
	done
}

@test "rr-collect: more programs than may run at once take turns" {
	local i jobs=() session
	for i in {1..12}; do
		echo ".n = $i" >"$i.jq"
		echo "key$i * filter=$i.jq"
	done >keys
	start_ring -k keys
	send() {
		curl -sS -d '{}' "$collector/v1/sessions?key=key$1" >"$1.json"
		session=$collector/v1/sessions/$(jq -r '"\(.id)/lines?token=\(.token)"' "$1.json")
		for n in 1 2 3; do
			curl -sS -d '{"type":3}' "$session&tab=a&batch=$n" |
				grep -q '"verdict":"stored"'
		done
	}
	for i in {1..12}; do
		send "$i" 3>&- &
		jobs+=($!)
	done
	for i in "${jobs[@]}"; do
		wait "$i"
	done
	for i in {1..12}; do
		rr cat "$(jq -r .id "$i.json")" >"$i.out"
		[ "$(sort "$i.out" | uniq -c | sed 's/^ *//')" = "3 {\"type\":3,\"n\":$i}" ]
	done
	[ "$(pgrep -P "$(pgrep -g "$ring" -x rr-collect)" -x rr-filter | wc -l)" -le 8 ]
}

@test "rr-collect: connections beyond the limit wait their turn" {
	start_ring --max-connections 3
	local n fds=()
	for n in 1 2 3; do
		exec {fds[n]}<>"/dev/tcp/127.0.0.1/$port"
	done
	run -28 curl -s -m 1 "$collector/health/live"
	exec {fds[2]}<&-
	[ "$(curl -s -m 10 "$collector/health/live")" = live ]
	exec {fds[1]}<&- {fds[3]}<&-
	# With few descriptors there are as many connections as these allow.
	run bash -c 'ulimit -n 100; rr-collect -l 127.0.0.1:0 </dev/null'
	[[ $output == *'only 100 descriptors are allowed, so there will be at most 36 connections'* ]]
}
