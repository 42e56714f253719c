# The scripts: what they say to wrong use, what they start and end.

load helper

@test "scripts: shellcheck and mandoc have nothing to say" {
	make -s -C "$ROOT" lint-scripts lint-pages
}

# A cargo that pretends: it takes a while, then leaves a server.
fake_cargo() {
	mkdir -p cargo
	printf '#!/bin/sh\necho "rustc %s"\n' "${1:-1.90.0 (x)}" >cargo/rustc
	cat >cargo/cargo <<-'EOF'
	#!/bin/bash
	while (($#)); do
		[[ $1 != --root ]] || root=$2
		shift
	done
	echo building >>"$XDG_CACHE_HOME/log"
	mkdir -p "$root/bin"
	echo half >"$root/bin/server"
	until [[ -e $XDG_CACHE_HOME/go ]]; do sleep 0.05; done
	printf '#!/bin/sh\necho whole\n' >"$root/bin/server"
	chmod +x "$root/bin/server"
	EOF
	chmod +x cargo/*
	export XDG_CACHE_HOME=$PWD/cache
	mkdir -p cache
	lite=("$ROOT/scripts/s2-lite")
	PATH=$PWD/cargo:/usr/bin:/bin
}

@test "s2-lite: an interrupted build is not taken for a whole one" {
	fake_cargo
	start "${lite[@]}" path
	local first=$pid
	wait_until 10 test -s cache/log
	stop_all
	wait "$first" && fail 'it was not interrupted'
	run -1 "${lite[@]}" check
	touch cache/go
	run -0 --separate-stderr "${lite[@]}" path
	[ "$output" = "$PWD/cache/rrpipe/s2-lite-0.42.7/bin/server" ]
	[[ $stderr == 's2-lite: building version 0.42.7, once: about 9 min'* ]]
	[ "$("$output")" = whole ]
	[ "$(ls cache/rrpipe)" = $'s2-lite-0.42.7\ns2-lite.lock' ]
}

@test "s2-lite: of two at once one builds and the other waits" {
	fake_cargo
	start "${lite[@]}" path
	local first=$pid
	wait_until 10 test -s cache/log
	start "${lite[@]}" path
	local second=$pid
	wait_until 10 grep -q 'waiting for another build' "$second.err"
	touch cache/go
	ended "$first"
	ended "$second"
	cmp "$first.out" "$second.out"
	[ "$(wc -l <cache/log)" = 1 ]
}

@test "s2-lite: without a new enough Rust it says what to install" {
	fake_cargo '1.87.0 (x)'
	mkdir bin
	ln -s /usr/bin/* bin/
	rm -f bin/cargo bin/rustc
	PATH=$PWD/cargo:$PWD/bin
	run -78 "${lite[@]}" path
	[[ $output == *'Rust 1.88 or later'*'cargo-web'* ]]
}

@test "s2-lite: listens on the loopback address alone" {
	start_s2
	run -1 "$ROOT/scripts/s2-lite" exposed "$s2_port"
	# And this is how one that does not looks.
	local port
	port=$(free_port)
	start socat "TCP-LISTEN:$port,bind=0.0.0.0" -
	wait_until 5 "$ROOT/scripts/s2-lite" exposed "$port"
}

@test "s2-lite: wrong use" {
	local args
	for args in '' 'frob' 'path x' 'exposed' 'exposed x' 'run' \
	    'run --port' 'run --port x' 'run --frob 1'; do
		# shellcheck disable=SC2086 # words
		run -64 "$ROOT/scripts/s2-lite" $args
	done
}

@test "bootstrap: quiet and quick when nothing is missing" {
	local cpu TIMEFORMAT='%U %S'
	cpu=$({ time "$ROOT/scripts/bootstrap" test >said 2>&1; } 2>&1)
	[ ! -s said ]
	awk '{ exit !($1 + $2 < 0.5) }' <<<"$cpu"
	run -64 "$ROOT/scripts/bootstrap"
	run -64 "$ROOT/scripts/bootstrap" frob
}

# A machine without jq and sudo, for somebody who is not root.
@test "bootstrap: who may not install is told the command" {
	local as=()
	mkdir bin scripts
	ln -s /usr/bin/* bin/
	rm -f bin/jq bin/sudo
	# Ours may be where only root can go.
	cp "$ROOT/scripts/bootstrap" "$ROOT/scripts/s2-lite" scripts/
	ln -s "$(command -v node)" "$(command -v npm)" bin/ 2>/dev/null || :
	if ((EUID == 0)); then
		chmod 755 . "$BATS_RUN_TMPDIR" || :
		as=(setpriv --reuid 65534 --clear-groups)
	fi
	S2_ACCOUNT_ENDPOINT=http://s2 PATH=$PWD/bin run -78 \
	    "${as[@]}" bash scripts/bootstrap run
	[ "$output" = "bootstrap: missing Debian packages:
  jq                       filters events
bootstrap: not root, and sudo asks for a password; run this, then go on:

    sudo sh -c 'apt-get update && apt-get install --no-install-recommends jq'" ]
}

@test "rr: wrong use" {
	local args
	run -0 rr help
	[[ $output == 'usage: rr up '* ]]
	run -0 rr --version
	for args in '' '-x' 'up x' 'import' 'import a b' 'cat' 'tail' 'stop' \
	    'rm' 'rm -f' 'rm -x' '../x' 'nosuch'; do
		# shellcheck disable=SC2086 # words
		run -64 rr $args
	done
	run -64 rr import -m '[]' /dev/null
	run -66 rr import ./nosuch
}

@test "settings: the file is NAME=value, and nothing in it is run" {
	export RR_CONF=$PWD/conf
	run -78 rr ls
	[[ $output == "rr: cannot read '$PWD/conf', named by RR_CONF" ]]
	RR_CONF=$PWD run -78 rr ls
	[[ $output == "rr: cannot read '$PWD': it is a directory" ]]
	printf '# x\n\nRR_BASIN = x\n' >conf
	run -78 rr ls
	[[ $output == "rr: $PWD/conf:3: the line is not NAME=value" ]]
	# shellcheck disable=SC2016 # that is the point
	printf '%s\n' 'RR_A="$(touch pwned) "  ' "RR_B=' '" 'PATH=/' \
	    'RR_C=first' 'RR_C=last=' 'RR_D=file' 'RR_E=' >conf
	printf '%s' 'RR_F=no newline' >>conf
	run -0 env RR_D=env bash -ec '
		. "$1/scripts/common.sh"
		settings
		printf "<%s>" "$RR_A" "$RR_B" "$RR_C" "$RR_D" "$RR_E" "$RR_F"
		type cat >/dev/null
	' - "$ROOT"
	# shellcheck disable=SC2016
	[ "$output" = '<$(touch pwned) >< ><last=><env><><no newline>' ]
	[ ! -e pwned ]
}

@test "scripts: no room for what they need, and a program that is missing" {
	TMPDIR=$PWD/none run -1 rr-janitor
	[[ $output == "rr-janitor: cannot write below '$PWD/none'; make room there, or set TMPDIR" ]]
	# shellcheck disable=SC2016
	run -1 bash -c '. "$1/scripts/common.sh"; no-such-program' rr-x "$ROOT"
	[[ $output == 'rr-x: no-such-program is missing; install it' ]]
}

# ---- the ring ----

ring() {
	port=$(free_port)
	new_basin
	start rr-ingest -l "127.0.0.1:$port"
	ring=$pid
	wait_until 10 serves_or_gone
	! gone "$ring" || {
		cat "$ring.err" >&2
		return 1
	}
}

serves_or_gone() {
	gone "$ring" ||
	    curl -sf -o /dev/null "http://127.0.0.1:$port/health/ready"
}

stage() {
	pgrep -g "$ring" -x "$1"
}

# collect: sends one event, and prints the collector's answer.
collect() {
	local base=http://127.0.0.1:$port/v1/sessions answer
	answer=$(curl -sS --fail-with-body -X POST "$base?key=dev")
	curl -sS --fail-with-body --data-binary '{"type":3,"timestamp":1}' \
	    "$base/$(jq -r .id <<<"$answer")/lines?token=$(
	    jq -r .token <<<"$answer")"
}

@test "rr-ingest: TERM lets it finish, and is no failure" {
	ring
	[ "$(collect | jq -r .verdict)" = stored ]
	stop "$ring"
	[ -z "$(pgrep -g "$ring" -r D,R,S,T)" ]
}

@test "rr-ingest: INT to all of it, as from a terminal, does so too" {
	ring
	[ "$(collect | jq -r .verdict)" = stored ]
	kill -s INT -- "-$ring"
	ended "$ring"
	[ -z "$(pgrep -g "$ring" -r D,R,S,T)" ]
}

@test "rr-ingest: the death of any stage ends all, with its status" {
	local name status
	for name in rr-collect rr-frame s2-append; do
		ring
		kill -s KILL "$(stage "$name")"
		status=0
		ended "$ring" 10 || status=$?
		[ "$name $status" = "$name 137" ]
		[ -z "$(pgrep -g "$ring" -r D,R,S,T)" ]
	done
}

@test "rr-ingest: killed, it leaves nothing" {
	ring
	stop "$ring" KILL || [ $? = 137 ]
	wait_until 10 group_gone "$ring"
}

@test "rr-ingest: a stage that fails ends all, with its status" {
	local status=0
	port=$(free_port)
	start env S2_BASIN_ENDPOINT=ftp://x rr-ingest -l "127.0.0.1:$port"
	ended "$pid" 10 || status=$?
	[ "$status" = 78 ]
	status=0
	start rr-ingest --nosuch
	ended "$pid" 10 || status=$?
	[ "$status" = 64 ]
}

# ---- rr up ----

# up: starts all on free ports, and waits for its last line.
up() {
	unset S2_ACCOUNT_ENDPOINT S2_BASIN_ENDPOINT S2_ACCESS_TOKEN RR_BASIN
	export RR_DATA=$PWD/data
	export RR_S2_PORT=${RR_S2_PORT:-$(free_port)}
	export RR_LISTEN_COLLECT=${RR_LISTEN_COLLECT:-127.0.0.1:$(free_port)}
	export RR_LISTEN_VIEW=${RR_LISTEN_VIEW:-127.0.0.1:$(free_port)}
	export RR_LISTEN_DEMO=${RR_LISTEN_DEMO:-127.0.0.1:$(free_port)}
	# What rr up starts inherits this, wherever it goes.
	RR_MARK=$BATS_TEST_TMPDIR start rr up
	up=$pid
	wait_until 30 says_or_gone '^Ctrl-C'
	! gone "$up" || {
		cat "$up.out" "$up.err" >&2
		return 1
	}
}

says_or_gone() {
	gone "$up" || grep -q "$1" "$up.out"
}

left() {
	# Some end while grep looks at them.
	grep -lsz "^RR_MARK=$BATS_TEST_TMPDIR$" /proc/[0-9]*/environ || :
}

none_left() {
	[ -z "$(left)" ]
}

@test "rr up: serves pages, keeps what was recorded, and leaves nothing" {
	local id began
	up
	curl -sSf "http://$RR_LISTEN_DEMO/" | grep -q record.js
	curl -sSf -o /dev/null "http://$RR_LISTEN_VIEW/"
	curl -sSf -o /dev/null "http://$RR_LISTEN_COLLECT/rr.js"
	id=$(rr import "$DATA/real-stats-test-page.ndjson")
	[ -n "$(left)" ]
	stop "$up" INT
	none_left
	! grep -v '^rr-collect: ' "$up.err"

	began=${EPOCHREALTIME/[.,]/}
	up
	echo "# started again in $(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms"
	(((${EPOCHREALTIME/[.,]/} - began) < 5000000))
	rr cat "$id" | cmp - "$DATA/real-stats-test-page.ndjson"
	stop "$up" TERM
	none_left
}

@test "rr up: an address or data in use is one clear line" {
	up
	RR_DATA=$PWD/other run -75 rr up
	[ "$output" = "rr-up: 127.0.0.1:$RR_S2_PORT is in use; stop what \
listens there, or choose another place by RR_S2_PORT" ]
	run -75 rr up
	[ "$output" = "rr-up: '$PWD/data' is in use by another rr up" ]
	stop "$up"
}

@test "rr up: a child that dies is named, and ends the rest" {
	local status=0
	up
	pkill -KILL -f "^sse-bridge -l $RR_LISTEN_VIEW "
	ended "$up" || status=$?
	[ "$status" = 137 ]
	[[ "$(cat "$up.err")" == *'rr-up: dashboard was killed by signal KILL; stopping the rest' ]]
	none_left
}

@test "rr up: killed, it leaves nothing" {
	up
	stop "$up" KILL || [ $? = 137 ]
	wait_until 15 none_left
}

@test "rr up: the examples of its page" {
	local port text
	text=$(page_examples "$ROOT/scripts/rr-up.1" | sed 1d)
	for port in 9787 9788 9789 9790; do
		text=${text//$port/$(free_port)}
	done
	unset S2_ACCOUNT_ENDPOINT S2_BASIN_ENDPOINT S2_ACCESS_TOKEN RR_BASIN
	RR_MARK=$BATS_TEST_TMPDIR start bash -euo pipefail -c \
	    "${text/%rr up/exec rr up}"
	up=$pid
	wait_until 30 says_or_gone '^Ctrl-C'
	! gone "$up"
	[ -d data/s2 ]
	stop "$up"
	none_left
}

# ---- installed ----

@test "make install: what is installed runs by itself" {
	make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$PWD/dest" install
	PATH=$PWD/dest/usr/local/bin:/usr/bin:/bin
	[ "$(command -v rr-frame)" = "$PWD/dest/usr/local/bin/rr-frame" ]
	run -0 rr --version
	up
	curl -sSf "http://$RR_LISTEN_DEMO/" | grep -q record.js
	curl -sSf -o /dev/null "http://$RR_LISTEN_VIEW/"
	curl -sSf "http://$RR_LISTEN_VIEW/api/sessions" | jq -e '.sessions == []'
	curl -sSf -o /dev/null "http://$RR_LISTEN_COLLECT/rr.js"
	grep -q '^  *on this machine only' "$up.out"
	stop "$up"
	none_left

	# An s2-lite that cannot be confined is told of.
	rm dest/usr/local/lib/rrpipe/loopback.so
	up
	grep -q '^rr-up: WARNING: s2-lite listens on every address' "$up.err"
	stop "$up"
	none_left

	make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$PWD/dest" uninstall
	run find dest -not -type d
	[ -z "$output" ]
}

# ---- sessions ----

@test "rr import, cat, ls, stop, rm: the same bytes come back" {
	local file id
	new_basin
	for file in "$DATA"/*.ndjson; do
		id=$(rr import "$file")
		[[ $id =~ ^[0-9a-hjkmnp-tv-z]{25}$ ]]
		rr cat "$id" | cmp - "$file"
	done
	[ "$(rr ls | wc -l)" = "$(ls "$DATA" | wc -l)" ]
	[[ "$(rr ls | head -n 1)" == "$id "* ]]
	# By the beginning of an id, as long as that is one.
	rr cat "${id:0:8}" | cmp - "$file"
	run -66 rr cat uuuuuuuu
	run -64 rr cat ''
	# It is stopped, again and again.
	rr stop "$id"
	rr stop "$id"
	rr rm "$id"
	run -66 rr cat "$id"
	run -66 rr cat "${id:0:8}"
}

@test "rr import: nothing of a file says where it goes" {
	local id
	new_basin
	printf '%s\n' ':stream name=elsewhere' ':create' '{"type":4}' >evil
	rr import evil
	[ "$(s2-stream list "s2://$RR_BASIN" | grep -c elsewhere)" = 0 ]
	# And of one with an error nothing is kept.
	printf '%s\n' '{"type":4}' '{"type":' >broken
	run -65 rr import broken
	[[ $output == 'rr-frame: broken:2:9: '* ]]
	[ "$(rr ls | wc -l)" = 1 ]
}

@test "rr import: on a terminal it says how far it is" {
	local id file=$DATA/fixture-iframe.ndjson
	new_basin
	mkfifo in
	start script -qfec 'rr import - <in' seen
	local script=$pid
	exec {half}>in
	cat "$file" >&"$half"
	wait_until 20 grep -aq ' records stored' seen
	exec {half}>&-
	ended "$script" 30
	id=$(rr ls -j | jq -r '.sessions[0].id')
	grep -aq "$id" seen
	rr cat "$id" | cmp - "$file"
	# In a pipe it is silent.
	rr import "$file" >out 2>err
	[ "$(wc -l <out) $(wc -c <err)" = '1 0' ]
}

@test "rr import: a copy of a session is equal" {
	local id copy
	new_basin
	id=$(rr import -m '{"title":"a \"title\""}' "$DATA/fixture-iframe.ndjson")
	copy=$(rr cat -d "$id" | rr import -)
	rr cat -d "$id" | sed 's/ time=[0-9]*//' >original
	rr cat -d "$copy" | sed 's/ time=[0-9]*//' | cmp - original
	grep -Fx ':meta seq=1 {"title":"a \"title\""}' original
}

@test "rr tail: follows until the session is stopped" {
	local id uri
	new_basin
	id=$(s2-stream new)
	uri=$(s2-stream name "$id")
	printf '%s\n' ':fence set=active' ':end' | rr-frame |
	    s2-append -c "$uri" >/dev/null
	start rr tail "$id"
	local tail=$pid
	rr-frame <"$DATA/fixture-iframe.ndjson" | s2-append "$uri" >/dev/null
	wait_until 10 cmp -s "$tail.out" "$DATA/fixture-iframe.ndjson"
	rr stop "$id"
	ended "$tail" 10
}

@test "rr import: what it was is in the list" {
	local id
	new_basin
	cp "$ROOT/tests/data/real-hogflix-four-pages.ndjson" 'a "b".ndjson'
	id=$(rr import 'a "b".ndjson')
	rr ls -j "$id" >listed
	[ "$(jq -c '[.title, .url, .events, .bytes, .duration, .state]' listed)" = \
	    '["a \"b\".ndjson","http://localhost:8000/demo/1",62,42726,18925,"stopped"]' ]
	# With a batch missing, and what was known before.
	printf '%s\n' ':batch tab=1 batch=1' '{"type":4,"timestamp":5}' :end \
	    ':batch tab=1 batch=3' '{"timestamp":9}' :end >gap
	id=$(rr import -m '{"user":"u"}' - <gap)
	rr ls -j "$id" >listed
	[ "$(jq -c '[.title, .url, .user, .events, .duration]' listed)" = \
	    '[null,null,"u",2,4]' ]
}
