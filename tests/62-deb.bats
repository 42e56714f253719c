# The Debian package: made, checked, installed, upgraded under traffic, removed
# and purged, in a booted system.

load helper
load nspawn

setup_file() {
	make_plain deb >"$BATS_FILE_TMPDIR/deb.log" 2>&1 || {
		tail -n 30 "$BATS_FILE_TMPDIR/deb.log"
		return 1
	}
	make_system
	# The next version, for the upgrade.
	cp "${BUILD%-sanitize}"/deb/rrpipe_*.deb root/root/first.deb
	dpkg-deb -R root/root/first.deb next
	sed -i 's/^Version: .*/&+next/' next/DEBIAN/control
	dpkg-deb --root-owner-group -Zgzip -z1 -b next root/root/next.deb >/dev/null
	power_on
	files_of_system >before
}

teardown_file() {
	drop_system
}

# files_of_system: what is on its disk, but for caches and logs.
files_of_system() {
	(cd "$BATS_FILE_TMPDIR/root" && find etc lib/ usr var -path var/log \
	    -prune -o -path var/lib/rrpipe -prune -o -path var/lib/dpkg \
	    -prune -o -path var/lib/nginx \
	    -prune -o -path var/lib/systemd -prune -o -path var/cache \
	    -prune -o -path var/tmp -prune -o -print | sort)
}

@test "make deb: lintian finds no error" {
	run grep '^E:' "$BATS_FILE_TMPDIR/deb.log"
	[ "$status" = 1 ]
}

@test "the package has its changelog, of this version" {
	dpkg-deb --fsys-tarfile "$BATS_FILE_TMPDIR/root/root/first.deb" |
	    tar -xO ./usr/share/doc/rrpipe/changelog.gz | gzip -dc |
	    cmp - "$ROOT/scripts/debian/changelog"
	[ "$(dpkg-parsechangelog -l "$ROOT/scripts/debian/changelog" -S Version)" = \
	    "$(rr-frame --version | cut -d ' ' -f 2)" ]
}

@test "installed, it waits to be started, and then works" {
	inside dpkg -i /root/first.deb
	none_failed
	run -3 inside systemctl is-active rrpipe.target
	inside systemctl enable --now rrpipe.target
	wait_until 20 all_active
	wait_until 10 is_ready
	begin_traffic
	end_traffic
}

@test "upgraded under traffic, nobody notices" {
	local unit pids=()
	inside systemctl enable --now rr-collect@2.socket rr-collect@2.service
	for unit in rr-collect.service rr-collect@2.service rr-view.service; do
		pids+=("$(inside systemctl show -P MainPID "$unit")")
	done
	begin_traffic
	inside dpkg -i /root/next.deb
	for unit in rr-collect.service rr-collect@2.service rr-view.service; do
		[ "$(inside systemctl show -P MainPID "$unit")" != "${pids[0]}" ]
		inside systemctl --quiet is-active "$unit"
		pids=("${pids[@]:1}")
	done
	flows
	cat "${SENDERS[@]/%/.retries}"
	[ "$(cat "${SENDERS[@]/%/.retries}" | wc -l)" = 0 ]
	end_traffic
	all_active
	none_failed
}

@test "removed, nothing runs; purged, nothing is left but data" {
	# What was enabled by hand is for the same hand to disable.
	inside systemctl disable rr-collect@2.socket
	inside dpkg -r rrpipe
	local user
	for user in rr-collect rr-view s2-lite; do
		run inside find /proc -maxdepth 1 -user "$user"
		[ -z "$output" ]
	done
	none_failed
	inside dpkg -P rrpipe
	[ -n "$(ls "$BATS_FILE_TMPDIR/root/var/lib/rrpipe/s2")" ]
	files_of_system | diff "$BATS_FILE_TMPDIR/before" - >&2
}
