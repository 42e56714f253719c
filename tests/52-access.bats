# Who may watch: tokens, cookies, links and a proxy's word, each at each route.

load helper

ann=annannannannannannannann vic=vicvicvicvicvicvicvicvic
del=deldeldeldeldeldeldeldel
id=0123456789abcdef0123fghj0 other=0123456789abcdef0123fghj1

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	local route
	mkdir routes
	for route in list show lines outline live export stop delete span; do
		# shellcheck disable=SC2016 # expanded when it is run
		printf '#!/bin/sh\necho ":ran %s $*"\n' "$route" \
		    >"routes/$route"
		chmod +x "routes/$route"
	done
	printf '#!/bin/sh\necho ":tail seq=0 time=1"; exec sleep 60\n' >routes/live
	cat >routes/span <<-'EOF'
	#!/bin/sh
	[ "$3" != to=9000 ] || exit 65
	echo "$*" >>spans
	echo "start=3 end=9 tabs=0@3,ab@5"
	EOF
	(
		umask 077
		printf '%s %s %s\n' ann admin "$(hash $ann)" del delete \
		    "$(hash $del)" vic view "$(hash $vic)" >users
		echo 'pat admin -' >>users
		printf '%064d\n' 1 >secret
	)
}

hash() {
	printf %s "$1" | sha256sum | cut -d ' ' -f 1
}

# serve OPTION...: as sse-bridge -t users; sets at and log.
serve() {
	start sse-bridge -l 127.0.0.1:0 -v -x routes -t users "$@"
	log=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on' "$log"
	at=http://$(sed -n 's/.*listening on //p' "$log")
}

# status CURL'S ARGUMENTS: of an answer, which may have no end.
status() {
	local asking
	: >head
	curl -s -N -m 20 -D head -o body "$@" 3>&- &
	asking=$!
	if [[ $* == */live\?* ]]; then
		wait_until 20 grep -q '^HTTP' head
		kill "$asking" 2>/dev/null
	fi
	wait "$asking" || :
	sed -n '1s/^[^ ]* \(...\).*/\1/p' head
}

# ask METHOD PATH CREDENTIAL: the status.
ask() {
	local with=()
	case $3 in
	none) ;;
	bearer:*) with=(-H "Authorization: Bearer ${3#*:}") ;;
	cookie:*) with=(-H "Cookie: a=b; rr=${3#*:}; c=d") ;;
	header:*) with=(-H "X-User: ${3#*:}") ;;
	link:*) set -- "$1" "$2$([[ $2 == *\?* ]] && echo '&' || echo '?')share=${3#*:}" ;;
	esac
	status -X "$1" -H 'X-RR: 1' "${with[@]}" "$at$2"
}

# other_than TEXT: with one character that is another.
other_than() {
	local c=A
	[[ ${1:10:1} != A ]] || c=B
	echo "${1:0:10}$c${1:11}"
}

# cookie_of TOKEN: logs in.
cookie_of() {
	curl -sf -o body -D - -X POST -H 'X-RR: 1' \
	    -H "Authorization: Bearer $1" "$at/api/login" |
	    sed -n 's/^Set-Cookie: rr=\([^;]*\);.*/\1/p'
}

# link TOKEN SECONDS [QUERY]: a link to the session, or to a part.
link() {
	curl -sf -X POST -H 'X-RR: 1' -H "Authorization: Bearer $1" \
	    "$at/api/sessions/$id/share?seconds=$2${3-}" | jq -r .share
}

@test "access: each route for each role, by each credential" {
	local method path credential want column got
	serve -S secret -u X-User -P 127.0.0.1
	local -A have=(
		[none]=none [wrong]="bearer:x$ann" [link]="link:$(link $ann 60)"
		[part]="link:$(link $ann 60 '&from=5000&to=8000')"
		[view]="bearer:$vic" [delete]="bearer:$del"
		[admin]="bearer:$ann" [viewer]="cookie:$(cookie_of $vic)"
		[boss]="cookie:$(cookie_of $ann)" [proxy]=header:pat
		[stranger]=header:eve
	)
	local columns=(none wrong link part view delete admin viewer boss
	    proxy stranger)
	# Of wrong ones only ten are heard in a minute.
	while read -r method path want; do
		column=0
		for want in $want; do
			credential=${columns[column++]}
			[[ $want != - ]] || continue
			got=$(ask "$method" "$path" "${have[$credential]}")
			[[ $got == "$want" ]] ||
			    fail "$method $path, $credential: $got, not $want"
		done
		((column == ${#columns[@]}))
	done <<-EOF
	GET / 404 404 404 404 404 404 404 404 404 404 404
	GET /api/me 401 401 401 401 200 200 200 200 200 200 401
	GET /api/sessions 401 401 401 401 200 200 200 200 200 200 401
	GET /api/sessions/changes?from=0&/live? 401 - 401 401 200 200 200 200 200 200 401
	GET /api/sessions/$id 401 401 200 200 200 200 200 200 200 200 401
	GET /api/sessions/$id/lines 401 401 200 200 200 200 200 200 200 200 401
	GET /api/sessions/$id/outline 401 - 200 403 200 200 200 200 200 200 401
	GET /api/sessions/$id/live?from=0 401 401 200 403 200 200 200 200 200 200 401
	GET /api/sessions/$id/export 401 401 403 403 200 200 200 200 200 200 401
	GET /api/sessions/$id/export?format=html 401 - 403 403 200 200 200 200 200 200 401
	POST /api/sessions/$id/stop 401 401 403 403 403 200 200 403 200 200 401
	DELETE /api/sessions/$id 401 401 403 403 403 200 200 403 200 200 401
	POST /api/sessions/$id/share?seconds=9 401 401 403 403 403 403 200 403 200 200 401
	POST /api/sessions/$id/share?seconds=9&from=1 401 - 403 403 403 403 200 403 200 200 401
	POST /api/logout 200 - 200 200 200 200 200 200 200 200 200
	EOF
	for credential in link part; do
		for path in '' /lines /outline /live?from=0 /export; do
			[ "$(ask GET "/api/sessions/$other$path" \
			    "${have[$credential]}")" = 403 ]
		done
	done
}

@test "access: the table of the page, row by row" {
	local method path yes rows=0 credential got want
	serve -S secret
	local have=("link:$(link $ann 60)" "link:$(link $ann 60 '&from=5')"
	    "bearer:$vic" "bearer:$del" "bearer:$ann")
	sed -n '/^\.Bl -column/,/^\.El/s/^\.It Li //p' \
	    "$ROOT/bin/sse-bridge/sse-bridge.1" |
	    sed 's/ Ns Ar ID/ID/; s/ Ns Li //; s/ Ta / /g' >table
	while read -r method path yes; do
		((++rows))
		path=${path/ID/$id}
		case $path in
		*/changes) path+='?from=0&/live?' ;;
		*/live) path+='?from=0' ;;
		*/share) path+='?seconds=1' ;;
		esac
		read -ra yes <<<"$yes"
		((${#yes[@]} == ${#have[@]}))
		for credential in "${!have[@]}"; do
			want=403
			[[ ${yes[credential]} == no ]] || want=200
			[[ $credential -gt 1 || $path == */$id* ]] || want=401
			got=$(ask "$method" "$path" "${have[credential]}")
			[[ $got == "$want" ]] || fail \
			    "$method $path ${have[credential]}: $got, not $want"
		done
	done <table
	# Each route of the sessions is in it.
	((rows == $(grep -c '^	{ "sessions' "$ROOT/bin/sse-bridge/server.c")))
}

@test "access: a link to a part gives that part alone" {
	local part want query at_part
	serve -S secret
	part=$(link $ann 60 '&from=5000&to=8000')
	[ "$(<spans)" = "$id from=5000 to=8000" ]
	at_part=/api/sessions/$id/lines
	want=" end=9 span=5000-8000 tabs=0@3,ab@5"
	while read -r query want_from; do
		[ "$(ask GET "$at_part$query" "link:$part")" = 200 ]
		[[ $want_from == at=* ]] || want_from=from=$want_from
		[ "$(<body)" = ":ran lines $id $want_from$want" ] ||
		    fail "$query: $(<body)"
	done <<-'EOF'
	?from=start 3
	?from=snapshot 3
	?from=0 3
	?from=3 3
	?from=8 8
	?from=9 9
	?from=1000000 9
	?from=9223372036854775807 9
	?at=0 at=5000
	?at=-7&tab=ab at=5000 tab=ab
	?at=6000&from=2 at=6000
	?at=8000 at=7999
	?at=9223372036854775807 at=7999
	?from=0&end=99&span=0-99999&tabs=0@0 3
	EOF
	[ "$(ask GET "$at_part" "link:$part")" = 200 ]
	[ "$(<body)" = ":ran lines $id from=3$want" ]
	[ "$(ask GET "$at_part?from=5&count=2" "link:$part")" = 200 ]
	[ "$(<body)" = ":ran lines $id from=5 count=2$want" ]
	[ "$(ask GET "/api/sessions/$id?end=77" "link:$part")" = 200 ]
	[ "$(<body)" = ":ran show $id end=9 span=5000-8000" ]
	# Who is logged in and opens a link sees what it is to.
	[ "$(status -H "Authorization: Bearer $ann" "$at$at_part?share=$part")" = 200 ]
	[ "$(<body)" = ":ran lines $id from=3$want" ]

	# Each bit of it is signed. (Of many wrong ones a few are told why.)
	local i flipped
	for i in 0 1 7 8 15 23 31 40 $((${#part} - 2)); do
		flipped=${part:0:i}$([[ ${part:i:1} == A ]] && echo B || echo A)${part:i+1}
		[[ $(ask GET "$at_part" "link:$flipped") =~ ^(403|429)$ ]]
	done
	for flipped in "${part:0:-1}" "${part}A" "${part:0:28}" A ''; do
		[[ $(ask GET "$at_part" "link:$flipped") =~ ^(403|429)$ ]]
	done

	# From the start, to the end.
	part=$(link $ann 60 '&to=8000')
	[ "$(ask GET "$at_part" "link:$part")" = 200 ]
	[ "$(<body)" = ":ran lines $id from=3 end=9 span=0-8000 tabs=0@3,ab@5" ]
	part=$(link $ann 60 '&from=5000')
	[ "$(ask GET "$at_part" "link:$part")" = 200 ]
	[ "$(<body)" = ":ran lines $id from=3 end=9 span=5000-140737488355327 tabs=0@3,ab@5" ]

	# What cannot be.
	refused() {
		[ "$(ask POST "/api/sessions/$id/share?seconds=9$1" "bearer:$ann")" = "$2" ]
		[ "$(<body)" = "{\"error\":\"$3\"}" ] || fail "$1: $(<body)"
	}
	refused '&from=-1' 400 "'from' must be milliseconds since 1970"
	refused '&to=x' 400 "'to' must be milliseconds since 1970"
	refused '&from=1&to=999999999999999' 400 "'to' must be milliseconds since 1970"
	refused '&from=8&to=8' 400 "'from' must be before 'to'"
	refused '&to=9000' 422 'nothing that tells its time was recorded then'
	printf '#!/bin/sh\necho "start=1 end=99999999999"\n' >routes/span
	refused '&from=1' 500 "the command 'span' did not say where that stands"
	printf '#!/bin/sh\nexec yes\n' >routes/span
	refused '&from=1' 500 'the command failed with status 141; see the log'
	printf '#!/bin/sh\nexit 75\n' >routes/span
	refused '&from=1' 503 'S2 is away; try again later'
	printf '#!/bin/sh\nexit 66\n' >routes/span
	refused '&from=1' 404 'no such session'
	rm routes/span
	refused '&from=1' 500 'the command of this route cannot be started; see the log'
}

# A session of real records: from 1000 to 9000 ms after T, two tabs.
T=1767225600000
real_session() {
	ev() {
		printf '{"type":%s,"data":%s,"timestamp":%s}\n' "$1" "$2" $((T + $3))
	}
	batch() {
		printf ':batch tab=%s batch=%s\n' "$1" "$2"
		cat
		echo :end
	}
	{
		echo ':meta {"user":"visitor","url":"https://a.example/first"}'
		{
			ev 4 '{"href":"https://a.example/first"}' 1000
			ev 2 '{"node":{"t":"first"}}' 1001
			ev 5 '{"tag":"rr.error"}' 1002
		} | batch 0 1
		ev 3 '{"source":0,"t":"old"}' 2000 | batch 0 2
		{
			ev 4 '{"href":"https://a.example/b"}' 2500
			ev 2 '{"node":{"t":"b"}}' 2501
		} | batch b 1
		{
			ev 4 '{"href":"https://a.example/second"}' 3000
			ev 2 '{"node":{"t":"second"}}' 3001
			ev 3 '{"source":2,"t":"click before"}' 3500
			ev 3 '{"source":0,"t":"needed"}' 3600
		} | batch 0 3
		{
			ev 3 '{"source":1,"t":"mouse before"}' 4900
			ev 3 '{"source":0,"t":"inside"}' 5100
		} | batch 0 4
		ev 3 '{"source":2,"t":"inside b"}' 5500 | batch b 2
		{
			ev 3 '{"source":2,"t":"last inside"}' 5900
			ev 3 '{"source":2,"t":"after"}' 6000
		} | batch 0 5
		ev 3 '{"source":0,"t":"long after"}' 9000 | batch 0 6
	} >session.lines
	id=$(rr import session.lines)
}

@test "access: by a link to a part the server sends that part alone" {
	local part from more sums=0 path
	real_session
	start sse-bridge -l 127.0.0.1:0 -v -x "$ROOT/scripts/routes" -t users \
	    -S secret
	log=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on' "$log"
	at=http://$(sed -n 's/.*listening on //p' "$log")
	part=$(link $ann 60 "&from=$((T + 5000))&to=$((T + 6000))")

	[ "$(ask GET "/api/sessions/$id/lines" "link:$part")" = 200 ]
	sed -n 's/.*"t":"\([^"]*\)".*/\1/p' body >got
	diff - got <<-'EOF'
	b
	second
	needed
	inside
	inside b
	last inside
	EOF
	grep -v '^:' body >events
	# They are the session's own, byte for byte.
	grep -Fxf events session.lines | diff - events
	run -1 grep -e visitor -e /first -e '"first"' -e :meta -e :stop -e :fence body
	[[ $(tail -n 1 body) =~ ^:next\ seq=[0-9]+$ ]]

	# Wherever it asks to begin, and however much of it, nothing else comes.
	for from in from={start,snapshot,0,3,5,7,8,999} \
	    at={0,$((T + 5500)),$((T + 99999))} "at=$((T + 5500))&tab=b"; do
		for more in "" "&count=2"; do
			path="/api/sessions/$id/lines?$from$more"
			[ "$(ask GET "$path" "link:$part")" = 200 ] || fail "$path"
			! grep -v '^:' body | grep -vFxf events || fail "$path"
			! grep -v -e '^[{]' -e '^:batch ' -e '^:end$' \
			    -e '^:next ' -e '^:tail ' body || fail "$path"
			((sums += $(grep -c '^{' body))) || :
		done
	done
	((sums > 20))

	# Of the session it is told what the part is, and no more.
	[ "$(ask GET "/api/sessions/$id" "link:$part")" = 200 ]
	jq -c 'del(.id, .created, .records)' body >got
	[ "$(<got)" = "{\"state\":\"part\",\"first\":$((T + 5000)),\"last\":$((T + 6000)),\"span\":[$((T + 5000)),$((T + 6000))]}" ]
	[ "$(jq -r .id body)" = "$id" ]

	# With an end alone, and a start alone.
	part=$(link $ann 60 "&to=$((T + 2000))")
	[ "$(ask GET "/api/sessions/$id/lines" "link:$part")" = 200 ]
	diff <(grep '^{' session.lines | head -n 3) <(grep '^{' body)
	part=$(link $ann 60 "&from=$((T + 8000))")
	[ "$(ask GET "/api/sessions/$id/lines" "link:$part")" = 200 ]
	[ "$(sed -n 's/.*"t":"\([^"]*\)".*/\1/p' body | tail -n 1)" = 'long after' ]
	[ "$(ask POST "/api/sessions/$id/share?seconds=9&from=$((T + 20000))" "bearer:$ann")" = 422 ]

	# It ends with the session.
	rr rm -f "$id" >/dev/null
	[ "$(ask GET "/api/sessions/$id/lines" "link:$part")" = 404 ]
	[ "$(ask GET "/api/sessions/$id" "link:$part")" = 404 ]
	[ "$(ask POST "/api/sessions/$id/share?seconds=9&from=0" "bearer:$ann")" = 404 ]
}

@test "access: a cookie is for this server's pages, and ends" {
	local jar
	serve -S secret
	run -0 curl -s -D - -o body -X POST -H 'X-RR: 1' \
	    -H "Authorization: Bearer $vic" -H 'X-Forwarded-Proto: https' \
	    "$at/api/login"
	[[ $output == *'; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure'* ]]
	[ "$(<body)" = '{"login":true,"name":"vic","role":"view"}' ]

	# As any other post: not without the header, not from elsewhere.
	[ "$(status -X POST -H "Authorization: Bearer $vic" "$at/api/login")" = 403 ]
	[ "$(status -X POST -H 'X-RR: 1' -H 'Origin: https://evil.example' \
	    -H "Authorization: Bearer $vic" "$at/api/login")" = 403 ]

	jar=$(cookie_of $vic)
	[ "$(ask GET /api/me "cookie:$jar")" = 200 ]
	[ "$(ask GET /api/me "cookie:$(other_than "$jar")")" = 401 ]
	[ "$(ask GET /api/me "cookie:A$jar")" = 401 ]
	run -0 curl -s -D - -o body -X POST -H 'X-RR: 1' "$at/api/logout"
	[[ $output == *'Set-Cookie: rr=; Path=/; Max-Age=0;'* ]]

	# Whoever is taken out of the file is out, and nobody else.
	local boss
	boss=$(cookie_of $ann)
	sed -i /^vic/d users
	kill -HUP "$pid"
	wait_until 5 grep -q '3 users' "$log"
	[ "$(ask GET /api/me "cookie:$jar")" = 401 ]
	[ "$(ask GET /api/me "bearer:$vic")" = 401 ]
	[ "$(ask GET /api/me "cookie:$boss")" = 200 ]

	# A file that is wrong changes nothing.
	echo 'eve king -' >>users
	kill -HUP "$pid"
	wait_until 5 grep -qF 'the users stay as they were: users:4: a role is view, delete or admin' "$log"
	[ "$(ask GET /api/me "cookie:$boss")" = 200 ]
}

@test "access: links and logins end, and with the secret all of them" {
	local share jar
	serve -S secret
	share=$(link $ann 1)
	jar=$(cookie_of $ann)
	wait_until 10 eval '[[ $(ask GET "/api/sessions/$id" "link:$share") == 403 ]]'
	[ "$(<body)" = '{"error":"this link has expired, or was withdrawn"}' ]
	[ "$(ask GET "/api/sessions/$id" "link:$(other_than "$share")")" = 403 ]
	[ "$(ask POST "/api/sessions/$id/share?seconds=0" "bearer:$ann")" = 400 ]
	[ "$(ask POST "/api/sessions/$id/share" "bearer:$ann")" = 400 ]
	share=$(link $ann 600)

	# After a restart all is as before; a new secret in front keeps the old.
	stop "$pid"
	{ printf '%064d\n' 2; cat secret; } >both
	chmod 600 both
	serve -S both
	[ "$(ask GET "/api/sessions/$id" "link:$share")" = 200 ]
	[ "$(ask GET /api/me "cookie:$jar")" = 200 ]
	stop "$pid"
	(umask 077 && printf '%064d\n' 2 >secret)
	serve -S secret
	[ "$(ask GET "/api/sessions/$id" "link:$share")" = 403 ]
	[ "$(ask GET /api/me "cookie:$jar")" = 401 ]
}

@test "access: wrong tokens are few a minute, right ones are not held up" {
	local i got=()
	serve
	for i in {1..12}; do
		got+=("$(ask GET /api/me "bearer:wrong$ann")")
	done
	[[ ${got[*]} =~ ^(401 ){10}429 ]]
	[ "$(ask GET /api/me "bearer:$ann")" = 429 ]
	stop "$pid"
	serve
	for i in {1..30}; do
		[ "$(ask GET /api/me "bearer:$ann")" = 200 ]
	done
	# Nor can anybody fill the log, by a link or what is no token at all.
	for i in {1..20}; do
		ask GET "/api/sessions/$id" "link:x$i" >>links
		status -H 'Authorization: Basic x' "$at/api/me" >>basic
	done
	[[ $(paste -sd ' ' links) =~ ^(403 ){10} ]]
	[[ $(paste -sd ' ' basic) =~ ^(401 ){10} ]]
	(($(grep -c 'audit: link' "$log") < 15))
	(($(grep -c 'audit: login' "$log") < 15))
}

@test "access: who did what is in the log, and no secret" {
	serve -S secret
	local share
	share=$(link $ann 60)
	ask GET /api/me "bearer:wrong$ann" >/dev/null
	cookie_of $vic >/dev/null
	ask GET "/api/sessions/$id" "bearer:$vic" >/dev/null
	ask GET "/api/sessions/$id/lines" "bearer:$vic" >/dev/null
	ask GET "/api/sessions/$id/live?from=0" "bearer:$vic" >/dev/null
	ask GET "/api/sessions/$other/lines" "bearer:$vic" >/dev/null
	ask GET "/api/sessions/$other/live?from=0" "bearer:$ann" >/dev/null
	ask DELETE "/api/sessions/$id" "bearer:$vic" >/dev/null
	ask GET "/api/sessions/$id/export" "bearer:$vic" >/dev/null
	ask POST "/api/sessions/$id/stop" "bearer:$del" >/dev/null
	ask DELETE "/api/sessions/$id" "bearer:$del" >/dev/null
	ask GET "/api/sessions/$id" "link:$share" >/dev/null
	ask GET "/api/sessions/$id/export" "link:$share" >/dev/null
	ask GET "/api/sessions/$other/lines" "link:$share" >/dev/null
	ask POST /api/logout "bearer:$vic" >/dev/null
	ask POST /api/logout none >/dev/null
	grep audit: "$log" >said
	cat >want <<-EOF
	sse-bridge: audit: share $id by ann from 127.0.0.1
	sse-bridge: audit: login refused to - from 127.0.0.1
	sse-bridge: audit: login by vic from 127.0.0.1
	sse-bridge: audit: view $id by vic from 127.0.0.1
	sse-bridge: audit: view $other by vic from 127.0.0.1
	sse-bridge: audit: view $other by ann from 127.0.0.1
	sse-bridge: audit: delete $id refused to vic from 127.0.0.1
	sse-bridge: audit: export $id by vic from 127.0.0.1
	sse-bridge: audit: stop $id by del from 127.0.0.1
	sse-bridge: audit: delete $id by del from 127.0.0.1
	sse-bridge: audit: view $id by a link from 127.0.0.1
	sse-bridge: audit: export $id refused to a link from 127.0.0.1
	sse-bridge: audit: link $other refused to - from 127.0.0.1
	sse-bridge: audit: logout by vic from 127.0.0.1
	EOF
	diff want said
	run -1 grep -e "$ann" -e "$vic" -e "$del" -e "$share" "$log"
}

@test "access: a proxy's word counts only from the proxy" {
	serve -u X-User -P 127.0.0.9
	[ "$(ask GET /api/me header:pat)" = 401 ]
	[ "$(status --interface 127.0.0.9 -H 'X-User: pat' "$at/api/me")" = 200 ]
	[ "$(<body)" = '{"login":true,"name":"pat","role":"admin"}' ]
	[ "$(status --interface 127.0.0.9 -H 'X-User: eve' "$at/api/me")" = 401 ]
	echo '* view -' >>users
	kill -HUP "$pid"
	wait_until 5 grep -q '5 users' "$log"
	[ "$(status --interface 127.0.0.9 -H 'X-User: eve' "$at/api/me")" = 200 ]
	[ "$(<body)" = '{"login":true,"name":"eve","role":"view"}' ]
	[ "$(status --interface 127.0.0.9 -H 'X-User: e"ve' "$at/api/me")" = 401 ]
}

# apache: as examples/proxy/oidc.conf has it, but without TLS, and with a
# provider of our own; sets proxy.
apache() {
	local port provider modules=/usr/lib/apache2/modules name
	port=$(free_port)
	provider=$(free_port)
	proxy=http://127.0.0.1:$port
	echo vic@shop.example >person
	start node "$ROOT/tests/oidc-provider.mjs" "$provider" person
	wait_until 10 grep -q ready "$BATS_TEST_TMPDIR/$pid.out"
	{
		echo "ServerRoot $PWD"
		echo "PidFile $PWD/apache.pid"
		echo "ErrorLog $PWD/apache.log"
		echo "Listen 127.0.0.1:$port"
		((EUID)) || echo 'User www-data'
		for name in mpm_event authn_core authz_core authz_user unixd \
		    headers proxy proxy_http auth_openidc; do
			[[ ! -e $modules/mod_$name.so ]] ||
			    echo "LoadModule ${name}_module $modules/mod_$name.so"
		done
		sed -e '/SSL/d' -e "s|VirtualHost \*:443|VirtualHost *:$port|" \
		    -e "s|https://login.shop.example|http://127.0.0.1:$provider|" \
		    -e "s|https://replay.shop.example/oidc|$proxy/oidc|" \
		    -e "s|/run/rrpipe/view.sock|$PWD/view.sock|" \
		    "$ROOT/examples/proxy/oidc.conf"
	} >apache.conf
	start /usr/sbin/apache2 -f "$PWD/apache.conf" -DFOREGROUND
	wait_until 20 curl -s -o /dev/null "$proxy/x.js"
}

@test "access: an OpenID Connect provider's word, by the proxy of the example" {
	local share
	printf '%s\n' 'ann@shop.example admin -' '* view -' >>users
	chmod 755 "$BATS_TEST_TMPDIR"
	start sse-bridge -l "unix:$PWD/view.sock,0666" -l 127.0.0.1:0 -v \
	    -x routes -t users -S secret -u X-User -P unix
	log=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on 127' "$log"
	at=http://$(sed -n 's/.*listening on \(127.*\)/\1/p' "$log")
	apache

	# me [CURL'S ARGUMENTS]: who the proxy says it is.
	me() {
		curl -sL -m 20 -b jar -c jar "$@" "$proxy/api/me"
	}
	# Whoever is not logged in is sent to the provider, whatever they say.
	[ "$(status -H 'X-User: ann@shop.example' "$proxy/api/me")" = 302 ]
	grep -qi '^location: http://127.0.0.1:[0-9]*/authorize?' head
	[ "$(status -H "Authorization: Bearer $ann" "$proxy/api/me")" = 302 ]
	# There they are somebody.
	[ "$(me)" = '{"login":true,"name":"vic@shop.example","role":"view"}' ] ||
	    fail "$(<jar) $(<apache.log)"
	[ "$(me -H 'X-User: ann@shop.example' -H "Authorization: Bearer $ann")" = \
	    '{"login":true,"name":"vic@shop.example","role":"view"}' ]
	[ "$(status -b jar -X DELETE -H 'X-RR: 1' "$proxy/api/sessions/$id")" = 403 ]
	rm jar
	echo ann@shop.example >person
	[ "$(me)" = '{"login":true,"name":"ann@shop.example","role":"admin"}' ]
	share=$(curl -sf -b jar -X POST -H 'X-RR: 1' \
	    "$proxy/api/sessions/$id/share?seconds=60" | jq -r .share)
	grep -q "audit: share $id by ann@shop.example from" "$log"

	# By a link nobody is asked, and nobody is more than the link.
	[ "$(status "$proxy/api/sessions/$id?share=$share")" = 200 ]
	[ "$(status "$proxy/api/sessions/$other?share=$share")" = 403 ]
	[ "$(status -H 'X-User: ann@shop.example' "$proxy/api/me?share=$share")" = 401 ]
	[ "$(status -H 'X-User: ann@shop.example' "$proxy/api/sessions?share=x")" = 401 ]

	# The header of who does not come by the socket file counts for nothing.
	[ "$(status -H 'X-User: ann@shop.example' "$at/api/me")" = 401 ]
}

@test "access: without users there is no login" {
	start sse-bridge -l 127.0.0.1:0 -v -x routes
	log=$BATS_TEST_TMPDIR/$pid.err
	wait_until 5 grep -q 'listening on' "$log"
	at=http://$(sed -n 's/.*listening on //p' "$log")
	[ "$(ask GET /api/me none)" = 200 ]
	[ "$(<body)" = '{"login":false,"name":"","role":"delete"}' ]
	[ "$(ask POST /api/login "bearer:$ann")" = 404 ]
	[ "$(ask POST "/api/sessions/$id/share?seconds=9" none)" = 404 ]
	[ "$(ask DELETE "/api/sessions/$id" none)" = 200 ]
}

@test "access: files and options that cannot be used" {
	bad() {
		local want=$1
		shift
		run "$@"
		[ "$output" = "sse-bridge: $want" ] || fail "$output"
	}
	chmod 644 users
	bad "others can read 'users'; chmod 600 it" sse-bridge -l 127.0.0.1:0 -t users
	((status == 78))
	chmod 600 users
	echo 'eve view abc' >>users
	bad 'users:5: a hash is 64 hex digits, or -' sse-bridge -l 127.0.0.1:0 -t users
	sed -i '5s/.*/eve view/' users
	bad 'users:5: it must be NAME ROLE HASH' sse-bridge -l 127.0.0.1:0 -t users
	bad '-S and -u need -t; see sse-bridge --help' sse-bridge -l 127.0.0.1:0 -S secret
	((status == 64))
	bad "-u needs -P: whose word is taken?; see sse-bridge --help" \
	    sse-bridge -l 127.0.0.1:0 -t users -u X-User
}

@test "the shell: what is deleted, exported and rewritten is in the system log" {
	local id new other want
	mkdir bin
	# shellcheck disable=SC2016 # expanded when it is run
	printf '#!/bin/sh\necho "$*" >>"%s/said"\n' "$PWD" >bin/logger
	chmod +x bin/logger
	export PATH=$PWD/bin:$PATH
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	other=$(rr import "$DATA/fixture-iframe.ndjson")
	rr export "$id" file
	rr export --html "$id" >/dev/null
	new=$(rr redact "$id" .)
	rr rm -f "$new" >/dev/null
	# What does nothing says nothing; but an export is told of as it begins,
	# since whoever leaves in the middle has read what came before.
	run -66 rr rm -f "$new"
	run -66 rr export "$new"
	run -1 rr redact "$other" error
	rr rm -n "$other" 2>/dev/null
	want=$(printf '%s\n' "export $id" "export $id" "redact $id to $new" \
	    "delete $new" "export $new" |
	    sed "s/.*/-p user.notice -t rr -- audit: & by $(id -un) in the shell/")
	[ "$(<said)" = "$want" ] || fail "$(<said)"

	# Of what the dashboard does, sse-bridge tells, by the name of who did it.
	serve -x "$ROOT/scripts/routes"
	[ "$(ask GET "/api/sessions/$other/export" "bearer:$vic")" = 200 ]
	[ "$(ask DELETE "/api/sessions/$other" "bearer:$del")" = 200 ]
	[ "$(jq -r 'keys_unsorted | join(" ")' body)" = \
	    'deleted stream records begun user at' ]
	grep -q "audit: delete $other by del from 127.0.0.1" "$log"
	[ "$(<said)" = "$want" ]
	# Without a logger it is not told of, and done all the same.
	printf '#!/bin/sh\nexit 1\n' >bin/logger
	other=$(rr import "$DATA/fixture-iframe.ndjson")
	rr rm -f "$other" >receipt
	[ "$(jq -r .deleted receipt)" = "$other" ]
}

@test "rr rm: what the preview and the receipt tell" {
	local a b
	a=$(rr import -m '{"user":"ann \u0007","url":"https://a.example/"}' \
	    "$DATA/fixture-iframe.ndjson")
	b=$(rr import -m '{"user":"bob"}' "$DATA/fixture-iframe.ndjson")
	rr rm -n "$a" "$b" >preview 2>total
	rr-ls -j "$a" "$b" >known
	[ "$(awk '{ print $1, $4, $5 }' preview)" = \
	    "$(jq -r '"\(.id) \(.records)r \(.bytes / 100 | round / 10)kB"' known)" ]
	grep -qF 'ann ?  https://a.example/' preview
	[[ $(<total) =~ ^"2 sessions, $(jq -s 'map(.records) | add' known) records, $(jq -s 'map(.bytes) | add' known) bytes of events, begun "20.*Z\ to\ 20.*Z$ ]]
	rr rm -f "$a" "$b" >receipt
	diff <(jq -c '[.id, .stream, .records, .user]' known) \
	    <(jq -c '[.deleted, .stream, .records, .user]' receipt)
	# On a terminal it tells how far it is.
	a=$(rr import "$DATA/fixture-iframe.ndjson")
	b=$(rr import "$DATA/fixture-iframe.ndjson")
	run -0 script -qec "rr rm $a $b" /dev/null <<<y
	[[ $output == *'Delete 2 of them, for good?'*'2 of 2'* ]]
	run -66 rr-ls -j "$a"
}

@test "rr token: what it makes is taken, and the examples of its page" {
	local token
	rm users
	token=$(rr token users eve delete)
	[ "$(stat -c %a users)" = 600 ]
	# A last line without its end is still a line.
	printf 'zoe view -' >>users
	rr token users kim view
	grep -qx 'zoe view -' users
	grep -q '^kim view ' users
	run -64 rr token users eve
	[ "$output" = "rr-token: 'users' has a line for eve: take that out first" ]
	run -64 rr token users 'a b'
	run -64 rr token users bob king
	serve
	[ "$(ask GET /api/me "bearer:$token")" = 200 ]
	[ "$(<body)" = '{"login":true,"name":"eve","role":"delete"}' ]
	page_examples "$ROOT/scripts/rr-token.1" >script
	# shellcheck disable=SC2034 # the script's
	dashboard=$at
	. ./script >out
	[[ $(<out) == *$'\n:ran list limit=50' ]]
	grep -q '^ann admin [0-9a-f]\{64\}$' users
}
