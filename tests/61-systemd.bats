# A Debian system, booted in a container with a network of its own: our units
# as `make install` leaves them, under traffic, killed, restarted, rebooted.
#
# One system serves all tests of this file, which build on each other: it is
# started by the first and halted by the last.

load helper
load nspawn

setup_file() {
	make_system
	make_plain DESTDIR="$PWD/root" install
	systemd-sysusers --root="$PWD/root" rrpipe.conf
	systemd-tmpfiles --root="$PWD/root" --create rrpipe.conf
	power_on
	# For the wall around s2-lite: an address that is not loopback.
	on_net ip address add 192.0.2.1/32 dev lo
}

teardown_file() {
	drop_system
}

@test "units: systemd-analyze has nothing to say, and little to fear" {
	local unit
	inside systemd-analyze verify --man=no rrpipe.target \
	    rr-collect.socket rr-view.socket rr-janitor.timer \
	    rr-janitor.service rr-secret.service "${UNITS[@]}" \
	    2>&1 | tee /dev/stderr | cmp - /dev/null
	for unit in rr-secret.service rr-janitor.service "${UNITS[@]}"; do
		inside systemd-analyze security --offline=true \
		    --threshold=20 --no-pager "$unit" | tail -n 1
	done
}

# restore: after a test that failed, all is as the next one expects it.
restore() {
	local etc=$BATS_FILE_TMPDIR/root/etc
	rm -rf "$etc"/systemd/system/{rr,s2}*.d "$etc"/rrpipe/rrpipe.conf \
	    "$etc"/nginx/sites-enabled/rrpipe
	inside rm -rf /run/systemd/system/rr-collect.service.d
	inside systemctl daemon-reload
	inside systemctl stop rrpipe.target rr-collect@2.socket \
	    rr-collect@2.service
	inside umount -q /var/lib/rrpipe/s2 || :
	inside systemctl reset-failed
	inside systemctl start rrpipe.target
	wait_until 30 is_ready
}

# drop_in FILE UNIT...: puts an example's drop-in beside these units.
drop_in() {
	local unit
	for unit in "${@:2}"; do
		install -Dm 644 -t "$BATS_FILE_TMPDIR/root/etc/systemd/system/$unit.d" \
		    "$ROOT/examples/systemd/$1"
	done
	inside systemctl daemon-reload
}

# no_drop_in: takes all of them away.
no_drop_in() {
	rm -r "$BATS_FILE_TMPDIR"/root/etc/systemd/system/*.d
	inside systemctl daemon-reload
}

@test "units: nor of the drop-ins in examples" {
	local file unit units
	for file in "$ROOT"/examples/systemd/*.conf; do
		# Each says where it belongs.
		units=$(sed -n 's,^#.*/etc/systemd/system/\([^ /]*\)\.d/'"${file##*/}"'$,\1,p' "$file")
		[ -n "$units" ]
		for unit in $units; do
			drop_in "${file##*/}" "$unit"
			inside systemd-analyze verify --man=no "$unit" \
			    2>&1 | tee /dev/stderr | cmp - /dev/null
		done
		no_drop_in
	done
}

@test "systemctl start rrpipe.target: each runs as a user of its own" {
	inside systemctl start rrpipe.target
	wait_until 20 all_active
	wait_until 10 is_ready
	none_failed
	local pair
	for pair in s2-lite.service:s2-lite rr-collect.service:rr-collect \
	    rr-view.service:rr-view; do
		# shellcheck disable=SC2016 # for the other shell
		inside bash -c 'while read -r pid; do
			[[ $(stat -c %U /proc/$pid) == "$2" ]] || exit
		done <"/sys/fs/cgroup/system.slice/$1/cgroup.procs"' - \
		    "${pair%:*}" "${pair#*:}"
	done
}

@test "a session through the sockets comes back byte-equal" {
	local open id file=$DATA/real-stats-test-page.ndjson
	open=$(on_net curl -sSf -X POST -d '{"title":"by curl"}' \
	    "$COLLECTOR/v1/sessions?key=dev")
	id=$(jq -r .id <<<"$open")
	on_net curl -sSf -o /dev/null --data-binary "@$file" \
	    "$COLLECTOR/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	inside rr cat "$id" | cmp - "$file"
	on_net curl -sSf "$DASHBOARD/api/sessions/$id/lines?from=start" |
	    grep '^{' | cmp - "$file"
	on_net curl -sSf "$DASHBOARD/api/sessions" |
	    jq -e --arg id "$id" '.sessions[] | select(.id == $id).title == "by curl"'
	on_net curl -sSf -o /dev/null "$COLLECTOR/rr.js"
	on_net curl -sSf -o /dev/null "$DASHBOARD/"
	echo "$id" >"$BATS_FILE_TMPDIR/id"
}

@test "rr top reads what the units tell" {
	local run user
	run=/proc/$(leader)/root/run
	rr top -n 1 "unix:$run/rr-collect/metrics.sock" \
	    "unix:$run/rr-view/metrics.sock" | tee all
	tail -n 1 all | grep '^yes [1-9][0-9]* 0 '
	curl -sSf --unix-socket "$run/rr-collect/metrics.sock" \
	    http://x/metrics | grep '^rrpipe_collect_opened_total [1-9]'
	as rr-collect test -w /run/rr-collect/metrics.sock
	as rr-view test -w /run/rr-view/metrics.sock
	for user in rr-view s2-lite; do
		as "$user" test -w /run/rr-collect/metrics.sock && fail "$user"
	done
	on_net curl -sSf "$DASHBOARD/health/ready" | jq -e .ready
}

@test "figures for Prometheus, as in examples/systemd" {
	local at
	drop_in metrics-collect.conf rr-collect.service
	drop_in metrics-view.conf rr-view.service
	inside systemctl restart rr-collect rr-view
	for at in $(grep -o '127.0.0.1:[0-9]*' \
	    "$ROOT/examples/monitoring/prometheus.yml" | sort -u); do
		wait_until 20 on_net curl -sf -o figures "http://$at/metrics"
		grep '_ready [01]$' figures
	done
	rr top -n 1 "unix:/proc/$(leader)/root/run/rr-collect/metrics.sock" |
	    grep '^yes '
	no_drop_in
	inside systemctl restart rr-collect rr-view
	wait_until 20 is_ready
}

@test "the collector knows who is watched by the dashboard" {
	local open url
	open=$(on_net curl -sSf -X POST "$COLLECTOR/v1/sessions?key=dev")
	url=$(jq -r '"\(.id)/lines?token=\(.token)&tab=00000001"' <<<"$open")
	start nsenter -t "$(leader)" -n curl -sN -o /dev/null \
	    "$DASHBOARD/api/sessions/$(jq -r .id <<<"$open")/live?from=0"
	wait_until 20 is_watched "$url"
}

is_watched() {
	((++batch))
	on_net curl -sSf --data-binary '{"type":3}' \
	    "$COLLECTOR/v1/sessions/$1&batch=$batch" | jq -e .watched
}
batch=0

# as USER COMMAND...: in the container.
as() {
	local user=$1
	shift
	inside setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

@test "no service reads the secrets of another" {
	local secret=/run/credentials/rr-collect.service/secret user each
	[[ $(inside cat "$secret") =~ ^[0-9a-f]{64}$ ]]
	as rr-collect test -r "$secret"
	for user in rr-view s2-lite; do
		as "$user" test -e "$secret" && fail "$user sees the secret"
		as "$user" test -r /etc/rrpipe/secret && fail "$user reads it"
	done
	as rr-collect test -r /etc/rrpipe/secret && fail 'collector reads it'
	for each in $(stage rr-collect.service rr-collect); do
		inside cat "/proc/$each/environ" "/proc/$each/cmdline" |
		    grep -aF "$(inside cat "$secret")" && fail 'it is told'
	done
	as rr-view test -r /var/lib/rrpipe/s2 && fail 'S2 is open to readers'
	as rr-collect test -r /var/lib/rrpipe/s2 && fail 'S2 is open'
	true
}

@test "s2-lite is walled in, also without our preload" {
	on_net curl -s -m 2 http://127.0.0.1:8790/health
	run -7 on_net curl -s -m 2 http://192.0.2.1:8790/health
	inside mv /usr/local/lib/rrpipe/loopback.so /root
	kill_stage s2-lite.service server
	# Not only the collector's word, which may be from before.
	wait_until 20 on_net curl -sf -o /dev/null -m 2 \
	    http://127.0.0.1:8790/health
	# It listens there, and nothing arrives.
	run -28 on_net curl -s -m 2 http://192.0.2.1:8790/health
	inside mv /root/loopback.so /usr/local/lib/rrpipe
	kill_stage s2-lite.service server
	wait_until 20 is_ready
}

@test "systemctl restart of the collector: nobody notices" {
	begin_traffic
	inside systemctl restart rr-collect
	flows
	inside systemctl restart rr-collect
	flows
	inside systemctl reload rr-collect
	flows
	cat "${SENDERS[@]/%/.retries}"
	[ "$(cat "${SENDERS[@]/%/.retries}" | wc -l)" = 0 ]
	end_traffic
	none_failed
}

@test "two collectors on one port share each session" {
	local unit which=(rr-collect.service rr-collect@2.service)
	inside systemctl enable --now rr-collect@2.socket
	begin_traffic
	# The kernel gives each connection to one of them.
	for unit in "${which[@]}"; do
		wait_until 20 works "$unit"
	done
	for unit in "${which[@]}"; do
		inside systemctl restart "$unit"
		flows
	done
	[ "$(cat "${SENDERS[@]/%/.retries}" | wc -l)" = 0 ]
	kill_stage rr-collect@2.service s2-append
	flows
	for unit in "${which[@]}"; do
		wait_until 20 works "$unit"
	done
	end_traffic
	inside systemctl disable --now rr-collect@2.socket rr-collect@2.service
	none_failed
}

# works UNIT: its collector has handed lines down its pipe since it was asked
# last.
works() {
	local pid wrote
	pid=$(stage "$1" rr-collect) && [[ -n $pid ]] || return
	wrote=$(inside awk '/^wchar/ { print $2 }' "/proc/$pid/io") || return
	[[ ${written[$pid]-$wrote} != "$wrote" ]] || {
		written[$pid]=$wrote
		return 1
	}
}
written=()

@test "systemctl restart of each unit under traffic loses nothing" {
	local unit
	begin_traffic
	for unit in rr-view.service s2-lite.service rr-collect.socket \
	    rr-view.socket rrpipe.target; do
		inside systemctl restart "$unit"
		wait_until 20 is_ready
		flows
	done
	end_traffic
	wait_until 20 all_active
	none_failed
}

# kill_stage UNIT COMMAND: by SIGKILL, and waits until it is there again.
kill_stage() {
	local before
	before=$(restarts "$1")
	send KILL "$(stage "$1" "$2" | head -n 1)"
	wait_until 20 back "$1" "$before"
}

back() {
	(($(restarts "$1") > $2)) &&
	    inside systemctl --quiet is-active "$1"
}

@test "kill -9 of each process loses nothing, and it comes back" {
	local name
	begin_traffic
	for name in rr-ingest rr-collect rr-frame s2-append; do
		kill_stage rr-collect.service "$name"
		flows
	done
	kill_stage s2-lite.service server
	flows
	kill_stage rr-view.service sse-bridge
	on_net curl -sSf -o /dev/null "$DASHBOARD/"
	end_traffic
	none_failed
}

@test "S2 stopped for a minute: the collector says so, waits, and goes on" {
	local before stopped=$SECONDS
	begin_traffic
	inside systemctl stop s2-lite
	wait_until 5 is_not_ready
	inside systemctl --quiet is-active rr-collect
	# One that is started meanwhile gives up, and is started again.
	before=$(restarts rr-collect)
	inside systemctl kill -s KILL rr-collect
	wait_until 40 restarted rr-collect $((before + 1))
	wait_until 70 eval '((SECONDS - stopped >= 60))'
	inside systemctl start s2-lite
	wait_until 30 is_ready
	flows
	# Stopped with requests that nobody answers, it is gone in time.
	send STOP "$(stage s2-lite.service server)"
	wait_until 10 is_not_ready
	before=$SECONDS
	inside systemctl stop rr-collect
	echo "# stopped in $((SECONDS - before)) s" >&3
	((SECONDS - before < 20))
	[ "$(inside systemctl show -P Result rr-collect)" = success ]
	send CONT "$(stage s2-lite.service server)"
	inside systemctl start rr-collect
	wait_until 30 is_ready
	flows
	end_traffic
	none_failed
}

# open_one: a session of which post_one NUMBER stores a batch, and prints the
# answer.
open_one() {
	on_net curl -sSf -m 20 -X POST -o one.json \
	    "$COLLECTOR/v1/sessions?key=dev"
	one=$(jq -r .id one.json)
}

post_one() {
	on_net curl -sS -m 60 --data-binary "{\"type\":3,\"n\":$1}" \
	    "$COLLECTOR/v1/sessions/$one/lines?token=$(jq -r .token \
	    one.json)&tab=00000001&batch=$1"
}

# restarted UNIT BEFORE: systemd started it again since.
restarted() {
	(($(restarts "$1") > $2))
}

@test "the disk of S2 is full: nothing is lost, and it heals by itself" {
	local before late disk=/var/lib/rrpipe/s2
	inside systemctl stop s2-lite
	inside mount -t tmpfs -o size=200m tmpfs "$disk"
	inside systemctl start s2-lite
	inside systemctl restart rr-collect
	wait_until 20 is_ready
	wait_until 20 open_one
	begin_traffic
	[ "$(post_one 1 | jq -r .verdict)" = stored ]
	run inside dd if=/dev/zero of="$disk/filler" bs=1M
	[[ $output == *'No space left'* ]]
	# S2 answers, and yet nothing gets there.
	start nsenter -t "$(leader)" -n curl -sS -m 60 -d '{"type":3,"n":2}' \
	    "$COLLECTOR/v1/sessions/$one/lines?token=$(jq -r .token \
	    one.json)&tab=00000001&batch=2"
	late=$pid
	wait_until 20 is_full
	wait_until 20 says rr-collect 'S2 answers, but takes no appends*'
	ended "$late" 60
	[ "$(jq -r .verdict "$late.out")" = away ]
	is_full
	inside journalctl -u s2-lite -o cat --since -60s |
	    grep -q 'No space left on device'
	# Also when it is started with nothing free.
	before=$(restarts s2-lite)
	send KILL "$(stage s2-lite.service server | head -n 1)"
	wait_until 20 restarted s2-lite "$before"
	wait_until 20 is_not_ready
	inside rm "$disk/filler"
	wait_until 60 is_ready
	[ "$(post_one 2 | jq -r .verdict)" = stored ]
	flows
	end_traffic
	printf '{"type":3,"n":%d}\n' 1 2 | cmp - <(inside rr cat "$one")
	none_failed

	inside systemctl stop s2-lite
	inside umount "$disk"
	inside systemctl start s2-lite
	inside systemctl restart rr-collect
	wait_until 20 is_ready
}

is_not_ready() {
	! is_ready
}

# is_full: readiness knows what the matter is.
is_full() {
	[[ $(on_net curl -s -m 5 "$COLLECTOR/health/ready" | jq -r .reason) == \
	    'S2 answers, but takes no appends; is its disk full?' ]]
}

# settings LINE...: replaces the settings file.
settings() {
	printf '%s\n' "$@" >"$BATS_FILE_TMPDIR/root/etc/rrpipe/rrpipe.conf"
}

@test "the janitor ends what is idle" {
	local id open
	inside systemctl --quiet is-active rr-janitor.timer
	# The timer may have started it, with the usual lease, before this began.
	open=$(on_net curl -sSf -X POST "$COLLECTOR/v1/sessions?key=dev")
	id=$(jq -r .id <<<"$open")
	on_net curl -sSf -o /dev/null --data-binary '{"type":3}' \
	    "$COLLECTOR/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	echo "$id" >"$BATS_FILE_TMPDIR/idle"
	inside systemctl stop rr-janitor.timer rr-janitor
	none_failed
	settings RR_LEASE=1
	inside systemctl start rr-janitor
	inside rr ls -j "$id" | jq -e '.state == "stopped"'
	# S2 away is no failure.
	settings RR_LEASE=1 S2_ACCOUNT_ENDPOINT=http://127.0.0.1:1 \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:1
	inside systemctl start rr-janitor
	settings
	inside systemctl start rr-janitor.timer
	none_failed
}

@test "the journal knows which session and which key" {
	local id open uri
	id=$(<"$BATS_FILE_TMPDIR/idle")
	# The janitor's word, with a priority. Not by the unit: journald looks
	# for that at whoever said it, which is logger(1) and may be gone.
	inside journalctl --sync
	inside journalctl -t rr-janitor "RR_SESSION=$id" -o json >said
	jq -se --arg id "$id" 'length == 1 and .[0].PRIORITY == "6" and
	    .[0].MESSAGE == "rr-janitor: \($id) stopped"' said || fail "$(cat said)"

	# A key that is over its limit, and one whose program fails.
	printf '%s\n' 'few * opens=1' 'jq * filter=/etc/rrpipe/bad.jq' \
	    >"$BATS_FILE_TMPDIR/root/etc/rrpipe/keys"
	echo 'if .bad then error else . end' \
	    >"$BATS_FILE_TMPDIR/root/etc/rrpipe/bad.jq"
	settings 'RR_COLLECT_OPTIONS=-k /etc/rrpipe/keys'
	inside systemctl restart rr-collect
	wait_until 20 is_ready
	for _ in 1 2 3; do
		on_net curl -sS -o /dev/null -X POST "$COLLECTOR/v1/sessions?key=few"
	done
	open=$(on_net curl -sSf -X POST "$COLLECTOR/v1/sessions?key=jq")
	id=$(jq -r .id <<<"$open")
	on_net curl -sSf -o /dev/null --data-binary '{"bad":1}' \
	    "$COLLECTOR/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	inside journalctl --sync
	inside journalctl -u rr-collect RR_KEY=few -p warning -o cat >said
	diff said - <<<'rr-collect: key few: its recorders open more than opens= allows, and are slowed down'
	inside journalctl RR_KEY=jq -o json >said
	jq -se --arg id "$id" 'length == 1 and .[0].PRIORITY == "4" and
	    .[0].RR_SESSION == $id' said
	settings
	inside systemctl restart rr-collect
	wait_until 20 is_ready

	# What the pipeline of a watched session says, and who runs it.
	uri=$(inside s2-stream name "$id")
	start nsenter -t "$(leader)" -n curl -sN \
	    "$DASHBOARD/api/sessions/$id/live?from=0"
	wait_until 20 grep -q '^event: tail' "${pid?}.out"
	printf '%s\n' ':batch tab=1 batch=1' '{"n":1}' :end \
	    ':batch tab=1 batch=5' '{"n":5}' :end | rr-frame >two
	on_net env S2_ACCOUNT_ENDPOINT=http://127.0.0.1:8790 \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:8790 s2-append "$uri" <two
	wait_until 20 grep -q '"n":5' "$pid.out"
	send KILL "$(stage rr-view.service rr-reassemble | head -n 1)"
	wait_until 20 heard "$id" 'rr-reassemble: gap: tab 1, batches 2 to 4 *'
	wait_until 20 heard "$id" "sse-bridge: live $id is started again*"
	none_failed
}

# heard ID PATTERN: the dashboard's unit said so of a session.
heard() {
	local line
	while read -r line; do
		# shellcheck disable=SC2053 # a pattern
		[[ $line != $2 ]] || return 0
	done < <(inside journalctl -u rr-view "RR_SESSION=$1" -o cat)
	return 1
}

@test "a wrong setting is told once, and the right one heals" {
	settings 'RR_COLLECT_OPTIONS=--nosuch'
	run inside systemctl restart rr-collect
	[ "$status" != 0 ]
	[ "$(inside systemctl show -P SubState rr-collect)" = failed ]
	[ "$(inside systemctl show -P ExecMainStatus rr-collect)" = 64 ]
	settings
	inside systemctl start rr-collect
	is_ready
	none_failed
}

@test "another S2, whose token is told to nobody" {
	local etc=$BATS_FILE_TMPDIR/root/etc unit each
	settings S2_ACCOUNT_ENDPOINT=http://127.0.0.1:8790 \
	    S2_BASIN_ENDPOINT=http://127.0.0.1:8790
	for unit in rr-collect rr-view rr-janitor; do
		install -Dm 644 -t "$etc/systemd/system/$unit.service.d" \
		    "$ROOT/examples/systemd/cloud.conf"
	done
	inside systemctl daemon-reload
	# It is read: this is none.
	echo 'not a token' >"$etc/rrpipe/s2-token"
	run inside systemctl restart rr-collect
	[ "$status" != 0 ]
	[ "$(inside systemctl show -P ExecMainStatus rr-collect)" = 78 ]
	echo 'a-good-token' >"$etc/rrpipe/s2-token"
	chmod 600 "$etc/rrpipe/s2-token"
	inside systemctl restart rr-collect rr-view
	is_ready
	on_net curl -sSf "$DASHBOARD/api/sessions" | jq -e '.sessions | length > 0'
	for each in $(inside cat \
	    /sys/fs/cgroup/system.slice/rr-collect.service/cgroup.procs); do
		inside cat "/proc/$each/environ" "/proc/$each/cmdline" >proc
		run grep -aF a-good-token proc
		[ "$status" = 1 ]
	done
	# s2-lite is not wanted, which is no failure.
	inside systemctl restart s2-lite
	run inside systemctl is-active s2-lite
	[ "$output" = inactive ]
	none_failed

	settings
	rm -r "$etc"/systemd/system/rr-{collect,view,janitor}.service.d
	inside systemctl daemon-reload
	inside systemctl restart s2-lite rr-collect rr-view
	wait_until 20 is_ready
}

# site NAME CURL'S WORDS...: a request to a name that nginx serves.
site() {
	local name=$1
	shift
	on_net curl -sS --cacert shop.pem --resolve "$name:443:127.0.0.1" "$@"
}

@test "behind nginx, as in examples/proxy" {
	local etc=$BATS_FILE_TMPDIR/root/etc open id
	local rec=https://rec.shop.example replay=https://replay.shop.example
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout "$etc/ssl/private/shop.key" -out shop.pem -days 2 \
	    -subj /CN=shop.example -addext \
	    'subjectAltName=DNS:rec.shop.example,DNS:replay.shop.example' 2>&1
	cp shop.pem "$etc/ssl/certs/shop.pem"
	echo "me:$(openssl passwd -apr1 secret)" >"$etc/nginx/rrpipe.passwd"
	cp "$ROOT/examples/proxy/nginx.conf" "$etc/nginx/sites-enabled/rrpipe"
	echo 'pk_shop https://shop.example' >"$etc/rrpipe/keys"
	settings 'RR_COLLECT_OPTIONS=-k /etc/rrpipe/keys -P 127.0.0.1'
	install -Dm 644 -t "$etc/systemd/system/rr-view.socket.d" \
	    "$ROOT/examples/systemd/view-socket.conf"
	inside systemctl daemon-reload
	inside systemctl stop rr-view.service
	inside systemctl restart rr-view.socket rr-collect nginx

	# Recordings, of the pages that may.
	run site rec.shop.example -o /dev/null -w '%{http_code}' -X POST \
	    -H 'Origin: https://evil.example' "$rec/v1/sessions?key=pk_shop"
	[ "$output" = 403 ]
	open=$(site rec.shop.example -f -X POST \
	    -H 'Origin: https://shop.example' "$rec/v1/sessions?key=pk_shop")
	id=$(jq -r .id <<<"$open")
	{
		printf '{"type":3,"data":"'
		head -c 8000000 /dev/zero | tr '\0' x
		printf '"}\n'
	} >large
	site rec.shop.example -f --data-binary @large \
	    "$rec/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	inside rr cat "$id" | cmp - large

	# The dashboard, for those who know the password.
	run site replay.shop.example -o /dev/null -w '%{http_code}' "$replay/"
	[ "$output" = 401 ]
	site replay.shop.example -f -u me:secret "$replay/api/sessions/$id" |
	    jq -e '.state == "live"'
	start nsenter -t "$(leader)" -n curl -sN --cacert shop.pem \
	    --resolve replay.shop.example:443:127.0.0.1 -u me:secret \
	    "$replay/api/sessions/$id/live?from=3"
	wait_until 20 grep -q '^event: tail' "${pid?}.out"
	site rec.shop.example -f --data-binary '{"type":3,"n":2}' \
	    "$rec/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	wait_until 5 grep -q '^data: {"type":3,"n":2}' "$pid.out"

	# Nobody else reaches it.
	run -7 on_net curl -sS "$DASHBOARD/"
	as www-data test -w /run/rrpipe/view.sock
	as rr-collect test -w /run/rrpipe/view.sock && fail 'it is open'

	settings
	rm -r "$etc/systemd/system/rr-view.socket.d" \
	    "$etc/nginx/sites-enabled/rrpipe"
	inside systemctl daemon-reload
	inside systemctl stop rr-view.service
	inside systemctl restart rr-view.socket rr-collect nginx
	inside systemctl start rr-view.service
	none_failed
}

# says UNIT PATTERN: in systemctl status.
says() {
	# shellcheck disable=SC2053 # a pattern
	[[ $(inside systemctl show -P StatusText "$1") == $2 ]]
}

@test "the dashboard with users, as in examples/systemd" {
	local etc=$BATS_FILE_TMPDIR/root/etc token
	install -Dm 644 -t "$etc/systemd/system/rr-view.service.d" \
	    "$ROOT/examples/systemd/view-login.conf"
	token=$(inside rr token /etc/rrpipe/users ann admin)
	inside sh -c "$(sed -n 's/^#\t\((umask.*\)/\1/p' \
	    "$ROOT/examples/systemd/view-login.conf")"
	inside systemctl daemon-reload
	inside systemctl restart rr-view.service
	run on_net curl -s -o /dev/null -w '%{http_code}' \
	    "$DASHBOARD/api/sessions"
	[ "$output" = 401 ]
	on_net curl -sf -H "Authorization: Bearer $token" \
	    "$DASHBOARD/api/me" | jq -e '.name == "ann" and .role == "admin"'
	as rr-collect test -r /etc/rrpipe/view-secret && fail 'it is readable'
	rm -r "$etc/systemd/system/rr-view.service.d" "$etc/rrpipe/users" \
	    "$etc/rrpipe/view-secret"
	inside systemctl daemon-reload
	inside systemctl restart rr-view.service
}

@test "a collector that hangs is started again" {
	inside mkdir -p /run/systemd/system/rr-collect.service.d
	printf '[Service]\nWatchdogSec=2\n' | inside tee \
	    /run/systemd/system/rr-collect.service.d/test.conf
	inside systemctl daemon-reload
	inside systemctl restart rr-collect
	local before
	before=$(restarts rr-collect)
	# An idle one does not count as hung.
	run wait_until 5 back rr-collect "$before"
	[ "$status" != 0 ]
	# What it says of itself.
	wait_until 10 says rr-collect 'Taking recordings: * sessions *'
	inside systemctl stop s2-lite
	wait_until 20 says rr-collect 'S2 does not answer: *'
	inside systemctl start s2-lite
	wait_until 20 says rr-collect 'Taking recordings: *'
	[ "$(restarts rr-collect)" = "$before" ]
	send STOP "$(stage rr-collect.service rr-collect)"
	wait_until 20 back rr-collect "$before"
	inside rm -r /run/systemd/system/rr-collect.service.d
	inside systemctl daemon-reload
	inside systemctl restart rr-collect
}

@test "after a reboot all is there again" {
	inside systemctl enable rrpipe.target
	inside systemctl reboot
	# Such a container ends where a machine would begin anew.
	wait_until 60 gone "$(<"$BATS_FILE_TMPDIR/nspawn")"
	power_on
	wait_until 20 all_active
	wait_until 10 is_ready
	none_failed
	inside rr cat "$(<"$BATS_FILE_TMPDIR/id")" |
	    cmp - "$DATA/real-stats-test-page.ndjson"
}

@test "systemctl stop rrpipe.target leaves no process" {
	begin_traffic
	local file
	for file in "${SENDERS[@]}"; do
		touch "$file.stop"
	done
	inside systemctl stop rrpipe.target
	none_failed
	local user
	for user in rr-collect rr-view s2-lite; do
		run inside find /proc -maxdepth 1 -user "$user"
		[ -z "$output" ]
	done
	inside systemctl start rrpipe.target
	end_traffic
}

# ann COMMAND...: as a user without rights, who is logged in.
ann() {
	as ann env HOME=/home/ann XDG_RUNTIME_DIR=/run/user/1000 \
	    PATH=/home/ann/.local/bin:/usr/bin:/bin "$@"
}

ann_active() {
	[[ $(ann systemctl --user is-active rrpipe.target "${UNITS[@]}" \
	    rr-collect.socket rr-view.socket rr-janitor.timer |
	    sort -u) == active ]]
}

@test "the same units without root: systemctl --user" {
	local open id file=$DATA/real-stats-test-page.ndjson user
	inside systemctl stop rrpipe.target
	inside useradd -m -u 1000 ann
	make_plain HOME=/home/ann PREFIX=/home/ann/.local \
	    DESTDIR="$BATS_FILE_TMPDIR/root" install
	inside install -D "/var/cache/rrpipe/s2-lite-0.42.7/bin/server" \
	    /home/ann/.cache/rrpipe/s2-lite-0.42.7/bin/server
	inside chown -R ann: /home/ann
	# Which libpam-systemd would tell.
	inside mkdir -p /run/systemd/system/user@.service.d
	printf '[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%%i\n' |
	    inside tee /run/systemd/system/user@.service.d/test.conf
	inside systemctl daemon-reload
	inside systemctl start user@1000
	ann systemctl --user start rrpipe.target
	wait_until 20 ann_active
	wait_until 20 is_ready
	# All of it is hers.
	for user in rr-collect rr-view s2-lite; do
		run inside find /proc -maxdepth 1 -user "$user"
		[ -z "$output" ]
	done
	[ "$(inside stat -c %a /home/ann/.config/rrpipe/secret)" = 600 ]

	open=$(on_net curl -sSf -X POST "$COLLECTOR/v1/sessions?key=dev")
	id=$(jq -r .id <<<"$open")
	on_net curl -sSf -o /dev/null --data-binary "@$file" \
	    "$COLLECTOR/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	ann rr cat "$id" | cmp - "$file"
	on_net curl -sSf "$DASHBOARD/api/sessions/$id/lines?from=start" |
	    grep '^{' | cmp - "$file"
	ann systemctl --user reload rr-collect
	ann systemctl --user restart rrpipe.target
	wait_until 20 is_ready
	ann rr cat "$id" | cmp - "$file"
	# Her settings are read.
	echo RR_LEASE=1 | ann tee /home/ann/.config/rrpipe/rrpipe.conf
	ann systemctl --user start rr-janitor
	ann rr ls -j "$id" | jq -e '.state == "stopped"'
	[ "$(ann systemctl --user --failed --no-legend | tee /dev/stderr)" = '' ]

	ann systemctl --user stop rrpipe.target
	inside systemctl stop user@1000
	run inside find /proc -maxdepth 1 -user ann
	[ -z "$output" ]
	inside systemctl start rrpipe.target
	wait_until 20 is_ready
	none_failed
}
