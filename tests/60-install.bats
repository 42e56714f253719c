# make install: every file in its place, nothing anywhere else, and nothing
# left behind.

load helper
load nspawn

teardown_file() {
	umount "$BATS_FILE_TMPDIR/root" 2>/dev/null || :
}

# install_to DESTDIR [VARIABLE=VALUE...]
install_to() {
	make -s -C "$ROOT" BUILD="$BUILD" install DESTDIR="$1" "${@:2}"
}

uninstall_from() {
	make -s -C "$ROOT" BUILD="$BUILD" uninstall DESTDIR="$1" "${@:2}"
}

# files_in DIR: every file and link, and what it holds.
files_in() {
	(cd "$1" && find . -type f -exec cksum {} + -o -type l -printf '%l %p\n' |
	    sort)
}

@test "make uninstall removes what make install put there, and no more" {
	local place
	for place in usr/local/bin/mine usr/local/lib/systemd/system/x.service \
	    usr/local/lib/sysusers.d/x.conf usr/local/share/man/man1/x.1 \
	    etc/rrpipe/rrpipe.conf; do
		mkdir -p "dest/${place%/*}"
		echo mine >"dest/$place"
	done
	files_in dest >before
	install_to "$PWD/dest"
	[ "$(files_in dest | wc -l)" -gt 50 ]
	# A second one changes nothing.
	files_in dest >first
	install_to "$PWD/dest"
	files_in dest | diff first -
	uninstall_from "$PWD/dest"
	files_in dest | diff before -
}

@test "with another PREFIX every path follows" {
	install_to "$PWD/dest" PREFIX=/opt/rr
	[ "$(ls dest)" = opt ]
	[ "$(ls dest/opt)" = rr ]
	# What the units run, and hand to it, is there.
	local path paths
	paths=$(grep -hoE '/opt/rr/[^ ]+' dest/opt/rr/lib/systemd/system/* |
	    sort -u)
	for path in $paths; do
		[ -e "dest${path%%:*}" ]
	done
	[[ $paths == */opt/rr/bin/rr-ingest*/opt/rr/share/rrpipe/web* ]]
	run grep -rE '@[A-Z]+@|/usr/local' dest/opt/rr/lib/systemd
	[ -z "$output" ]
}

@test "what is not root's to install can be installed, and runs" {
	local program
	chmod 755 . "$BATS_RUN_TMPDIR" "$BATS_SUITE_TMPDIR" 2>/dev/null || :
	install_to '' PREFIX="$PWD/rr"
	PATH=$PWD/rr/bin:/usr/bin:/bin
	for program in rr/bin/*; do
		[ -x "$program" ]
		run -0 "$program" --help
		[[ $output == usage:* ]]
	done
	new_basin
	s2-stream ensure "s2://$RR_BASIN" >/dev/null
	local id
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	rr cat "$id" | cmp - "$DATA/fixture-iframe.ndjson"
	uninstall_from '' PREFIX="$PWD/rr"
	[ -z "$(find rr -type f)" ]
}

@test "each program and unit has its page" {
	local program page
	install_to "$PWD/dest"
	local man=$PWD/dest/usr/local/share/man
	for program in dest/usr/local/bin/*; do
		[[ -e $man/man1/${program##*/}.1 ]] ||
		    fail "no page: $program"
	done
	while read -r page; do
		page=${page#man:}
		[ -e "$man/man${page: -2:1}/${page%(*}.${page: -2:1}" ]
	done < <(grep -ho 'man:[^ ]*' dest/usr/local/lib/systemd/system/*)
	# And each page of ours that another names.
	while read -r page; do
		[[ -e $man/man${page##* }/${page// /.} ]] ||
		    fail "no page: $page"
	done < <(grep -hoE '^\.Xr (rr|s2-|sse-)[a-z0-9.-]* [1-8]' \
	    "$man"/man*/* | cut -d ' ' -f 2- | sort -u)
}

@test "the page has the limits of the units" {
	local unit file
	sed -n 's/^\.It \([a-z0-9-]*\.service\) Ta \([0-9]*[GM]\) Ta \([0-9]*[GM]\) Ta \([0-9]*\)$/\1 \2 \3 \4/p' \
	    "$ROOT/systemd/rr-systemd.7" | sort >page
	for file in "$ROOT"/systemd/*.service; do
		unit=${file##*/}
		[[ $unit != *@* ]] || continue
		awk -F = -v unit="$unit" '{ v[$1] = $2 } END {
			if ("MemoryMax" in v)
				print unit, v["MemoryHigh"], v["MemoryMax"], v["TasksMax"]
		}' "$file"
	done | sort | diff page -
}

# What examples/Containerfile says, without what would build an image: its
# packages are those that the programs are built with and found to run on, and
# its commands run in a Debian.
@test "examples: the Containerfile's image records and shows" {
	local file=$ROOT/examples/Containerfile package port view id open command
	run ! grep -vE '^(#.*|FROM .*|RUN .*|COPY .*|USER rrpipe|EXPOSE 8787 8788|CMD \[.*\]|)$' "$file"
	packages_of() {
		sed -n 's/^RUN apt-get update && apt-get install -y --no-install-recommends \([^&]*\).*/\1/p' \
		    "$file" | sed -n "$1p" | tr ' ' '\n' | grep .
	}
	sed -n '/^needs_run()/,/^}/s/^\tneed \([^ ]*\).*/\1/p' \
	    "$ROOT/scripts/bootstrap" | grep -v '^util-linux$' | sort >needed
	packages_of 1 | grep -v '^ca-certificates$' | sort | diff needed -
	make_system
	for package in $(packages_of 2); do
		chroot root dpkg-query -Wf '${Status}\n' "$package" |
		    grep -qx 'install ok installed'
	done
	make_plain install DESTDIR="$PWD/root"
	chroot root bash -ec "$(sed -n 's/^RUN \(useradd .*\)/\1/p' "$file")"

	# As it is run, but for the ports; this machine's are taken.
	port=$(free_port)
	view=$(free_port)
	new_basin
	contain() {
		start systemd-nspawn --quiet --directory=root --register=no \
		    --keep-unit --as-pid2 --user=rrpipe \
		    --setenv=S2_ACCOUNT_ENDPOINT="$S2_ACCOUNT_ENDPOINT" \
		    --setenv=S2_BASIN_ENDPOINT="$S2_BASIN_ENDPOINT" \
		    --setenv=RR_BASIN="$RR_BASIN" "$@"
	}
	mapfile -t command < <(sed -n 's/^CMD //p' "$file" | jq -r '.[]' |
	    sed "s/0.0.0.0:8787/127.0.0.1:$port/")
	contain "${command[@]}"
	wait_until 20 curl -sf -o /dev/null "http://127.0.0.1:$port/health/ready" || {
		cat "$pid.out" "$pid.err" >&2
		false
	}
	curl -sf -o /dev/null "http://127.0.0.1:$port/rr.js"
	open=$(curl -sSf -X POST "http://127.0.0.1:$port/v1/sessions?key=dev")
	id=$(jq -r .id <<<"$open")
	curl -sSf -o /dev/null --data-binary '{"type":4}' \
	    "http://127.0.0.1:$port/v1/sessions/$id/lines?token=$(jq -r .token <<<"$open")"
	stop "$pid" || :

	rr token users ann admin >token
	install -Dm 640 users root/etc/rrpipe/users
	chroot root chgrp rrpipe /etc/rrpipe/users
	read -ra command < <(sed -n '/^#.*podman run.*8788/,/^#$/s/^#\t *//p' "$file" |
	    tr -d '\\\n' | sed "s/.* rrpipe \(sse-bridge\)/\1/; s/0.0.0.0:8788/127.0.0.1:$view/") || :
	[ "${command[0]}" = sse-bridge ]
	contain "${command[@]}"
	wait_until 20 curl -sf -o /dev/null "http://127.0.0.1:$view/"
	curl -sSf -H "Authorization: Bearer $(cat token)" \
	    "http://127.0.0.1:$view/api/sessions" |
	    jq -e --arg id "$id" '.sessions[0].id == $id'
	stop "$pid" || :
}
