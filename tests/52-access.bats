# Who may watch: tokens, cookies, links and a proxy's word, each at each route.

load helper

ann=annannannannannannannann vic=vicvicvicvicvicvicvicvic
del=deldeldeldeldeldeldeldel
id=0123456789abcdef0123fghj0 other=0123456789abcdef0123fghj1

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	local route
	mkdir routes
	for route in list show lines live export stop delete; do
		# shellcheck disable=SC2016 # expanded when it is run
		printf '#!/bin/sh\necho ":ran %s $*"\n' "$route" \
		    >"routes/$route"
		chmod +x "routes/$route"
	done
	printf '#!/bin/sh\necho ":tail seq=0 time=1"; exec sleep 60\n' >routes/live
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

# link TOKEN SECONDS: a link to the session.
link() {
	curl -sf -X POST -H 'X-RR: 1' -H "Authorization: Bearer $1" \
	    "$at/api/sessions/$id/share?seconds=$2" | jq -r .share
}

@test "access: each route for each role, by each credential" {
	local method path credential want column got
	serve -S secret -u X-User -P 127.0.0.1
	local -A have=(
		[none]=none [wrong]="bearer:x$ann" [link]="link:$(link $ann 60)"
		[view]="bearer:$vic" [delete]="bearer:$del"
		[admin]="bearer:$ann" [viewer]="cookie:$(cookie_of $vic)"
		[boss]="cookie:$(cookie_of $ann)" [proxy]=header:pat
		[stranger]=header:eve
	)
	local columns=(none wrong link view delete admin viewer boss proxy
	    stranger)
	while read -r method path want; do
		column=0
		for want in $want; do
			credential=${columns[column++]}
			got=$(ask "$method" "$path" "${have[$credential]}")
			[[ $got == "$want" ]] ||
			    fail "$method $path, $credential: $got, not $want"
		done
		((column == ${#columns[@]}))
	done <<-EOF
	GET / 404 404 404 404 404 404 404 404 404 404
	GET /api/me 401 401 401 200 200 200 200 200 200 401
	GET /api/sessions 401 401 401 200 200 200 200 200 200 401
	GET /api/sessions/$id 401 401 200 200 200 200 200 200 200 401
	GET /api/sessions/$id/lines 401 401 200 200 200 200 200 200 200 401
	GET /api/sessions/$id/live?from=0 401 401 200 200 200 200 200 200 200 401
	GET /api/sessions/$id/export 401 401 403 200 200 200 200 200 200 401
	POST /api/sessions/$id/stop 401 401 403 403 200 200 403 200 200 401
	DELETE /api/sessions/$id 401 401 403 403 200 200 403 200 200 401
	POST /api/sessions/$id/share?seconds=9 401 401 403 403 403 200 403 200 200 401
	EOF
	[ "$(ask GET "/api/sessions/$other" "${have[link]}")" = 403 ]
	[ "$(ask GET /api/sessions/changes?from=0 "${have[link]}")" = 401 ]
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
}

@test "access: who did what is in the log, and no secret" {
	serve -S secret
	local share
	share=$(link $ann 60)
	ask GET /api/me "bearer:wrong$ann" >/dev/null
	cookie_of $vic >/dev/null
	ask GET "/api/sessions/$id" "bearer:$vic" >/dev/null
	ask DELETE "/api/sessions/$id" "bearer:$vic" >/dev/null
	ask GET "/api/sessions/$id/export" "bearer:$vic" >/dev/null
	ask POST "/api/sessions/$id/stop" "bearer:$del" >/dev/null
	ask DELETE "/api/sessions/$id" "bearer:$del" >/dev/null
	ask GET "/api/sessions/$id" "link:$share" >/dev/null
	grep audit: "$log" >said
	cat >want <<-EOF
	sse-bridge: audit: share $id by ann from 127.0.0.1
	sse-bridge: audit: login refused to - from 127.0.0.1
	sse-bridge: audit: login by vic from 127.0.0.1
	sse-bridge: audit: view $id by vic from 127.0.0.1
	sse-bridge: audit: delete $id refused to vic from 127.0.0.1
	sse-bridge: audit: export $id by vic from 127.0.0.1
	sse-bridge: audit: stop $id by del from 127.0.0.1
	sse-bridge: audit: delete $id by del from 127.0.0.1
	sse-bridge: audit: view $id by a link from 127.0.0.1
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

@test "rr token: what it makes is taken, and the examples of its page" {
	local token
	rm users
	token=$(rr token users eve delete)
	[ "$(stat -c %a users)" = 600 ]
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
