# Several machines: each a network namespace with a collector and a janitor,
# behind a balancer that gives each connection to the next of them, and with
# nothing in common but S2, which is in a namespace of its own.
#
#	front ── front link ──▶ machine 1, 2, 3 ── S2 link ──▶ store

load helper

machines=(1 2 3)

setup_file() {
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/load" \
	    "$BATS_TEST_DIRNAME/load.c"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	space=rr$BASHPID
	local i
	for i in front store "${machines[@]}"; do
		ip netns add "$space-$i"
		on "$i" ip link set lo up
	done
	for i in "${machines[@]}"; do
		link front "$i" "10.87.$i"
		link store "$i" "10.88.$i"
	done
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED-} ]] || tail -n 20 ./*.err janitor.*.say >&2
	stop_all
	local i
	for i in front store "${machines[@]}"; do
		ip netns delete "$space-$i"
	done
}

# on NAME COMMAND...: runs it there.
on() {
	local name=$1
	shift
	ip netns exec "$space-$name" "$@"
}

# start_on NAME COMMAND...
start_on() {
	local name=$1
	shift
	start ip netns exec "$space-$name" "$@"
}

# link NAME MACHINE NET: a cable, .1 at NAME's end, whose device there is
# mMACHINE, and .2 at the machine's, whose device is NAME.
link() {
	ip link add name "m$2" netns "$space-$1" type veth \
	    peer name "$1" netns "$space-$2"
	on "$1" ip address add "$3.1/30" dev "m$2"
	on "$2" ip address add "$3.2/30" dev "$1"
	on "$1" ip link set "m$2" up
	on "$2" ip link set "$1" up
}

# cable MACHINE up|down: that between it and S2. What is sent meanwhile is
# lost, and neither end is told.
cable() {
	on store ip link set "m$1" "$2"
}

# start_store: s2-lite, where only the machines reach it.
start_store() {
	local server
	server=$("$ROOT/scripts/s2-lite" path)
	# shellcheck disable=SC2086 # perhaps two words
	SL8_MANIFEST_POLL_INTERVAL=100ms start_on store $server --port 8790 \
	    --local-root "$PWD/s2"
	store_serves() {
		[[ $(on store curl -s http://127.0.0.1:8790/health) == OK ]]
	}
	wait_until 20 store_serves
	use_s2 8790
	export RR_BASIN=machines-test
}

# s2 MACHINE COMMAND...: with the settings of that machine.
s2() {
	local name=$1 at=127.0.0.1
	shift
	[[ $name == store ]] || at=10.88.$name.1
	on "$name" env "S2_ACCOUNT_ENDPOINT=http://$at:8790" \
	    "S2_BASIN_ENDPOINT=http://$at:8790" "$@"
}

# clock MACHINE: prints by what its clock is wrong.
clock() {
	[[ $1 == 3 ]] && echo +3600 || echo +0
}

# start_machine NAME COMMAND...: starts it there, with that machine's settings
# and clock. (A sanitizer wants to be the first library.)
start_machine() {
	local name=$1 fake=()
	shift
	if [[ $(clock "$name") != +0 ]]; then
		fake=("ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS"
		    FAKETIME_DONT_FAKE_MONOTONIC=1
		    faketime -f "$(clock "$name")")
	fi
	start_on "$name" env "S2_ACCOUNT_ENDPOINT=http://10.88.$name.1:8790" \
	    "S2_BASIN_ENDPOINT=http://10.88.$name.1:8790" "${fake[@]}" "$@"
}

start_collector() {
	start_machine "$1" rr-ingest -l :8787 -S "$PWD/secret" \
	    -k "$PWD/keys" --opens 0 --posts 0
	ring[$1]=${pid?}
}
ring=()

is_ready() {
	[[ $(on front curl -s -m 5 "http://10.87.$1.2:8787/health/ready") == *true* ]]
}

is_not_ready() {
	! is_ready "$1"
}

# start_janitor MACHINE: again and again, and counts how often it was done.
start_janitor() {
	# shellcheck disable=SC2016 # for the other shell
	start_machine "$1" bash -c 'while :; do
		rr-janitor -e 86400 >>"$1.stopped" 2>>"$1.say" || continue
		echo >>"$1.rounds"
	done' - "janitor.$1"
}

# patrol TIMES MACHINE...: waits until each janitor has ended so often again.
patrol() {
	local times=$1 i n=()
	shift
	for i; do
		n[i]=$(count "janitor.$i.rounds")
	done
	for i; do
		wait_until 90 has_more "janitor.$i.rounds" $((n[i] + times))
	done
}

count() {
	[[ -e $1 ]] && wc -l <"$1" || echo 0
}

has_more() {
	(($(count "$1") >= $2))
}

# beating: a page where nothing happens, through the balancer.
beating() {
	# shellcheck disable=SC2016 # for the other shell
	start_on front bash -c '
		until curl -sSf -m 5 -d "{}" -o idle.open \
		    "$1/v1/sessions?key=dev"; do
			sleep 0.1
		done
		id=$(jq -r .id idle.open) token=$(jq -r .token idle.open)
		while [[ ! -e idle.stop ]]; do
			curl -s -m 1 -d "" "$1/v1/sessions/$id/beat?token=$token" \
			    >>idle.answers || :
			echo >>idle.answers
			sleep 0.3
		done' - "$1"
}

# moves: waits until S2 has got more of the load.
moves() {
	local n
	n=$(s2_records)
	wait_until 30 more_records $((n + 200))
	! gone "$load" || fail 'the load gave up'
}

s2_records() {
	on store curl -s http://127.0.0.1:8790/metrics |
	    awk '/^s2_append_batch_records_sum/ { n += $2 } END { print n + 0 }'
}

more_records() {
	(($(s2_records) >= $1))
}

@test "machines: one dies, one is cut off, one has its clock wrong" {
	local i id tabs load idle url=http://127.0.0.1:8000
	# Longer than a tab is out of luck with its balancer.
	export RR_LEASE=10
	start_store
	echo 'dev *' >keys
	start_on front node "$BATS_TEST_DIRNAME/round-robin.mjs" 8000 \
	    10.87.{1,2,3}.2:8787
	wait_until 20 grep -q ready "$pid.out"
	# The secret is the same everywhere: the first to start makes it.
	for i in "${machines[@]}"; do
		start_collector "$i"
		wait_until 20 is_ready "$i"
		start_janitor "$i"
	done
	beating "$url"
	idle=$pid
	start_on front "$BATS_FILE_TMPDIR/load" -r -b 1000 -c 48 -s 8 -n 10000000 \
	    -x 3 -o "$PWD/acked" "$url"
	load=$pid
	moves

	# A collector dies, and is started again.
	kill -s KILL -- "-${ring[1]}"
	moves
	start_collector 1
	wait_until 20 is_ready 1
	moves

	# One is cut off from S2: it says so, the others go on, it heals, and
	# what it held is there once.
	cable 2 down
	wait_until 20 is_not_ready 2
	moves
	# (From its beginning to its end; the second round is whole.)
	patrol 2 1 3
	cable 2 up
	wait_until 60 is_ready 2
	moves
	patrol 1 1 2 3

	# All that was begun is stored in the end.
	! gone "$load" || fail "$(<"$load.err")"
	kill -s TERM "$load"
	ended "$load" 60
	echo "# $(<"$load.out")" >&3
	RR_LEASE=3600 s2 store rr-ls -j >sessions
	touch idle.stop
	ended "$idle"
	[ "$(jq '.sessions | length' sessions)" -ge 9 ]
	[ "$(jq -c '[.sessions[] | .state] | unique' sessions)" = '["live"]' ]
	[ "$(cat janitor.*.stopped | wc -l)" = 0 ]
	(($(grep -c '"stored"' idle.answers) > 20))
	run grep -E '"(closed|gone|denied|bad)"' idle.answers
	[ "$status" = 1 ]
	awk '{ t[$1] = t[$1] " " $2 "=" $3 }
	    END { for (id in t) print id t[id] }' acked >expected
	[ "$(wc -l <expected)" = 8 ]
	while read -r id tabs; do
		# shellcheck disable=SC2086 # one word a tab
		s2 store s2-tail "$(s2-stream name "$id")" |
		    rr-reassemble -d | "$BATS_FILE_TMPDIR/load" -b 1000 -V "$id" $tabs
	done <expected

	# Now that nobody sends any more they do end, each once.
	all_stopped() {
		s2 store rr-ls -j |
		    jq -e 'all(.sessions[]; .state == "stopped")' >/dev/null
	}
	wait_until 60 all_stopped
	while read -r id tabs; do
		[ "$(s2 store s2-tail "$(s2-stream name "$id")" |
		    rr-reassemble -d | grep -c '^:stop')" = 1 ]
	done <expected
}
