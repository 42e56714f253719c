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
	cp cargo/rustc cargo/cargo
	if [[ -x /usr/bin/cargo ]]; then
		fail 'this test needs a machine without /usr/bin/cargo'
	fi
	run -78 "${lite[@]}" path
	[[ $output == *'Rust 1.88 or later'*'cargo-web'* ]]
}

@test "s2-lite: listens on the loopback address alone" {
	start_s2
	run -1 "$ROOT/scripts/s2-lite" exposed "$s2_port"
	# And this is how one that does not looks.
	local port other
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
	local start=${EPOCHREALTIME/[.,]/}
	run -0 "$ROOT/scripts/bootstrap" test
	[ -z "$output" ]
	(((${EPOCHREALTIME/[.,]/} - start) < 1000000))
	run -64 "$ROOT/scripts/bootstrap"
	run -64 "$ROOT/scripts/bootstrap" frob
}

# A machine without jq and sudo, for somebody who is not root.
@test "bootstrap: who may not install is told the command" {
	local as=()
	mkdir bin
	ln -s /usr/bin/* bin/
	rm -f bin/jq bin/sudo
	ln -s "$(command -v node)" "$(command -v npm)" bin/ 2>/dev/null || :
	if ((EUID == 0)); then
		chmod 755 . "$BATS_RUN_TMPDIR" || :
		as=(setpriv --reuid 65534 --clear-groups)
	fi
	S2_ACCOUNT_ENDPOINT=http://s2 PATH=$PWD/bin run -78 \
	    "${as[@]}" bash "$ROOT/scripts/bootstrap" run
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
	printf '# x\n\nRR_BASIN = x\n' >conf
	run -78 rr ls
	[[ $output == "rr: '$PWD/conf', line 3: not NAME=value" ]]
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
