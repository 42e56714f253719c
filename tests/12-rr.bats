# The commands of rr beyond those of the pipeline: files, figures, searches,
# copies.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
}

@test "export: the events as they are, to stdout or a file" {
	local id
	id=$(rr import "$DATA/real-stats-test-page.ndjson")
	rr export "$id" | cmp - "$DATA/real-stats-test-page.ndjson"
	rr export --ndjson "${id:0:8}" out
	cmp out "$DATA/real-stats-test-page.ndjson"
	[ "$(ls)" = out ]
	run -66 rr export --html 0123456789abcdef0123fghj0 out
	run -66 rr export --html 0123456789abcdef0123fghj0
	[[ $output != *'<!doctype'* ]]
	cmp out "$DATA/real-stats-test-page.ndjson"
	run -1 rr export "$id" nowhere/out
	[ "$(ls)" = out ]
}

@test "export --html: back to the same bytes" {
	local file id
	for file in fixture-iframe gen-packed-strings gen-unicode-rtl \
	    gen-session-shop real-posthog-homepage; do
		file=$DATA/$file.ndjson
		id=$(rr import "$file")
		rr export --html "$id" >page.html
		rr export -x page.html >lines
		rr cat -d "$id" | cmp - lines
		rr cat "$(rr import page.html)" | cmp - "$file"
	done
}

@test "export --html: what is missing stays missing" {
	local id
	printf '%s\n' ':batch tab=0 batch=1' '{"a":1}' :end \
	    ':batch tab=0 batch=3' '{"a":3}' :end >in
	id=$(rr import in)
	run -3 --separate-stderr rr export --html "$id" page.html
	[ "$stderr" = 'rr-reassemble: gap: tab 0, batch 2 (lost), between records 2 and 3' ]
	id=$(rr import page.html)
	run -3 rr export "$id" out
	printf '%s\n' '{"a":1}' '{"a":3}' | cmp - out
}

@test "export --html: a page that is not whole, or none, is not imported" {
	local id
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	rr export --html "$id" page.html
	head -c -500 page.html >cut.html
	run -65 rr import cut.html
	[[ $output == *"rr-export: 'cut.html' is not whole, or not a page that rr export wrote"* ]]
	printf '<!doctype html>\n<p>hello\n' >other.html
	run -65 rr import other.html
	run -65 rr export -x "$DATA/fixture-iframe.ndjson"
	[ "$(rr-ls -j | jq '.sessions | length')" = 1 ]
}

@test "export --html: memory is that of a small one" {
	local id
	for ((i = 0; i < 4; i++)); do
		cat "$DATA/gen-mutation-flood-cells.ndjson"
	done >big.ndjson
	id=$(rr import big.ndjson)
	start bash -c "set -o pipefail
	    ulimit -v 600000; rr export --html $id page.html"
	ended "$pid" 120
	rr export -x page.html | grep -v '^:' | cmp - big.ndjson
}

# fake_ffmpeg: one that takes the pictures, and says in its output how many of
# which size it got, and what it was asked for.
fake_ffmpeg() {
	mkdir bin
	cat >bin/ffmpeg <<-'EOF'
	#!/usr/bin/env node
	import('node:fs').then(({ readFileSync, writeFileSync }) => {
	  if (process.env.FFMPEG_FAILS) process.exit(1);
	  const b = readFileSync(0), sizes = {};
	  let n = 0, different = 0, last;
	  for (let at = 0; (at = b.indexOf('ffd8ff', at, 'hex')) >= 0; n++) {
	    const next = b.indexOf('ffd8ff', at + 3, 'hex');
	    const picture = b.subarray(at, next < 0 ? b.length : next);
	    const sof = picture.indexOf('ffc0', 0, 'hex');
	    const size = `${picture.readUInt16BE(sof + 7)}x${picture.readUInt16BE(sof + 5)}`;
	    sizes[size] = (sizes[size] || 0) + 1;
	    if (!last || !last.equals(picture)) different++;
	    last = picture;
	    at += 3;
	  }
	  const a = process.argv;
	  writeFileSync(a[a.length - 1], JSON.stringify({ n, sizes, different, fps: a[a.indexOf('-r') + 1] }) + '\n');
	});
	EOF
	chmod +x bin/ffmpeg
	PATH=$PWD/bin:$PATH
}

@test "export --mp4: each moment is a picture, and what is idle is cut out" {
	local id
	# Something for 2 s, nothing for 60, something for 2.
	jq -c 'select(.type == 4 or .type == 2), select(.type == 2 | not)' \
	    "$DATA/fixture-iframe.ndjson" | jq -sc '(map(select(.type == 4))[0],
	    map(select(.type == 2))[0]) | .timestamp = 1767225600000' >rec.ndjson
	for ms in 500 1000 1500 2000 62000 62500 63000 64000; do
		printf '{"type":3,"data":{"source":1,"positions":[{"x":%s,"y":20,"id":1,"timeOffset":0}]},"timestamp":%s}\n' \
		    $((ms % 500 + ms / 400)) $((1767225600000 + ms))
	done >>rec.ndjson
	id=$(rr import rec.ndjson)
	fake_ffmpeg
	rr export --mp4 -r 5 -s 320x240 "$id" film
	jq -c . film
	# 2 s, a second at each end of the idle time, 2 s; five pictures each.
	jq -e '.fps == "5" and .sizes == {"320x240": .n} and .n >= 25 and .n <= 36 and
	    .different > 3' film
	rr export --mp4 -r 5 -X 2 "$id" half
	jq -e --slurpfile whole film '.sizes == {"1280x720": .n} and
	    .n < $whole[0].n * 0.7' half

	# What fails leaves what there was, and nothing else.
	cp half was
	mkdir left
	FFMPEG_FAILS=1 TMPDIR=$PWD/left run -1 rr export --mp4 "$id" half
	[[ $output == 'rr-export: ffmpeg ended with 1' ]]
	cmp half was
	[ "$(echo half* left/*)" = 'half left/*' ]
	run -66 rr export --mp4 yyyy film
	for wrong in -r0 -r61 -rx -s1x -s321x240 -s10 -X0 -X1.5 -q; do
		run -64 rr export --mp4 "$wrong" "$id" film
	done
	run -64 rr export --mp4 "$id"
}

@test "export --mp4: a clear word where what it takes is missing" {
	local id missing package
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	fake_ffmpeg
	for missing in chromium ffmpeg node; do
		# All commands but one.
		rm -rf bare
		mkdir bare
		for dir in bin /usr/local/bin /usr/bin /bin; do
			[[ $dir == /* ]] || dir=$PWD/$dir
			ln -s "$dir"/* bare/ 2>/dev/null || :
		done
		rm -f "bare/$missing"
		[[ $missing != chromium ]] || rm -f bare/chromium-browser bare/google-chrome
		[[ $missing != node ]] || rm -f bare/nodejs
		package=$missing
		[[ $missing != node ]] || package=nodejs
		PATH=$BUILD/bin:$PWD/bare run -78 rr export --mp4 "$id" film
		[ "$output" = "rr-export: a film takes ${missing/chromium/Chromium}, which is not here: apt-get install $package" ]
		[ ! -e film ]
	done
}

@test "export: the examples of its page" {
	local id copy
	id=$(rr import "$DATA/gen-session-shop.ndjson")
	page_examples "$ROOT/scripts/rr-export.1" >script
	fake_ffmpeg
	. ./script >tabs
	[ -s session.mp4 ]
	rr cat "$copy" | cmp - "$DATA/gen-session-shop.ndjson"
	[[ $(<tabs) =~ ^\ +[0-9]+\ :batch\ tab=0$ ]]
}

# Two tabs and a gap, with one of everything that is counted.
counted() {
	cat >counted <<-'EOF'
	:batch tab=a batch=1
	{"type":4,"data":{"href":"https://x/1"},"timestamp":1767225600000}
	{"type":2,"data":{},"timestamp":1767225600010}
	{"type":3,"data":{"source":2,"type":2},"timestamp":1767225601000}
	{"type":3,"data":{"source":2,"type":1},"timestamp":1767225601000}
	:end
	:batch tab=b batch=1
	{"type":4,"data":{"href":"https://x/2"},"timestamp":1767225602000}
	{"type":2,"data":{},"timestamp":1767225602010}
	:end
	:batch tab=a batch=4
	{"type":4,"data":{"href":"https://x/1"},"timestamp":1767225603000}
	{"type":2,"data":{},"timestamp":1767225603010}
	{"type":3,"data":{"source":5},"timestamp":1767225604000}
	{"type":5,"data":{"tag":"rr.page","payload":{"href":"https://x/3"}},"timestamp":1767225605000}
	{"type":5,"data":{"tag":"rr.error","payload":null},"timestamp":1767225606000}
	{"type":5,"data":{"tag":"rr.rage"},"timestamp":1767225607000}
	{"type":5,"data":{"tag":"rr.dead"},"timestamp":1767225608000}
	{"type":6,"data":{"plugin":"rrweb/console@1","payload":{"level":"error"}},"timestamp":1767225609000}
	"packed"
	{"type":5,"data":"text","timestamp":1767225610000}
	{"timestamp":"late"}
	:end
	EOF
	id=$(rr import counted)
}

@test "stat: counts what is there" {
	counted
	local raw stored
	raw=$(grep -v '^:' counted | wc -c)
	stored=$(s2-tail "$(s2-stream name "$id")" | wc -c)
	rr stat -j "${id:0:9}" | jq 'del(.id, .created)' >out
	jq -n --argjson raw "$raw" --argjson stored "$stored" '{
	    state: "stopped", records: 8, duration: 10000, tabs: 2,
	    batches: 3, events: 17, pages: 3, clicks: 1, inputs: 1,
	    errors: 1, console: 1, rage: 1, dead: 1, packed: 1, gaps: 1,
	    causes: {lost: 1}, raw: $raw, stored: $stored}' | diff - out
	rr stat "$id" | tail -n 15 >out
	diff - out <<-EOF
	tabs      2
	batches   3
	events    17
	pages     3
	clicks    1
	inputs    1
	errors    1
	console   1
	rage      1
	dead      1
	packed    1
	gaps      1
	causes    1 lost
	raw       $raw
	stored    $stored
	EOF
	run -66 rr stat 0123456789abcdef0123fghj0
}

@test "cat: from a time on, and before a time" {
	counted
	local at
	sed -n '/timestamp":176722560[23]/p' counted >two
	for at in '-s 2 -e 4' '-s 0:02 -e 0:00:04' '-s 2.0 -e 3.999' \
	    '-s @1767225602000 -e @1767225604000' \
	    '-s 2026-01-01T00:00:02Z -e 2026-01-01T00:00:04Z'; do
		# shellcheck disable=SC2086 # words
		rr cat -q $at "$id" >out || (($? == 3))
		diff two out
	done
	rr cat -q -s 9 "$id" >out || (($? == 3))
	tail -n 5 counted | sed '/packed/d; /late/d; /^:/d' | diff - out
	rr cat -q -e 2 -f '.type == 3 # clicks' "$id" >out || (($? == 3))
	sed -n 4,5p counted | diff - out
	run -64 rr cat -s yonder "$id"
	# Without them it is what it was.
	rr cat -q "$id" >out || (($? == 3))
	grep -v '^:' counted | diff - out
}

@test "grep: text and programs, in one session and in many" {
	counted
	local shop
	shop=$(rr import "$DATA/gen-session-shop.ndjson")
	[ "$(rr grep rr.rage "${id:0:9}")" = "$(grep rr.rage counted)" ]
	rr grep -f '.type == 4' "$id" | diff - <(grep '"type":4' counted)
	[ "$(rr grep rr.rage)" = "$id:$(grep rr.rage counted)" ]
	[ "$(rr grep -i RR.RAGE "$shop" "$id")" = "$id:$(grep rr.rage counted)" ]
	run -1 rr grep RR.RAGE
	[ -z "$output" ]
	rr grep -l '"type":4' | sort | diff - <(printf '%s\n' "$id" "$shop" | sort)
	rr grep -j 1 '"type":4' | sort >out
	{
		grep '"type":4' counted | sed "s/^/$id:/"
		grep '"type":4' "$DATA/gen-session-shop.ndjson" | sed "s/^/$shop:/"
	} | sort | diff - out
	# By when they began.
	run -1 rr grep -e '1 day ago' type
	run -1 rr grep -s tomorrow type
	[ "$(rr grep -l -s '1 hour ago' -e '+1 hour' rr.rage)" = "$id" ]
	# A program that cannot judge an event says so.
	run -1 rr grep -f '.type == 4' "$shop" \
	    "$(rr import "$DATA/gen-packed-strings.ndjson")"
	[[ $output == *'1 of 2 sessions could not be searched' ]]
	run -78 rr grep -f '.[' "$id"
	# The reader leaves.
	rr grep -j 2 type 2>err | head -n 1 >out
	[ "$(wc -l <out)" = 1 ]
	[ ! -s err ]
}

@test "grep: on a terminal it says how far it is, and cleans up" {
	counted
	mkdir tmp
	TMPDIR=$PWD/tmp script -qec 'rr grep -l rr.rage >out' /dev/null </dev/null >said
	[ "$(<out)" = "$id" ]
	grep -q '1 of 1 sessions, found in 0' said
	[ -z "$(ls tmp)" ]
}

@test "what a recording says does nothing to a terminal" {
	local evil id command
	# CSI as one character, DEL, a turned line, a hidden space.
	evil=$'\xc2\x9b31m \x7f \xe2\x80\xaefdp.exe \xe2\x80\x8b'
	printf '{"type":5,"data":{"tag":"%s"},"timestamp":5}\n' "$evil" >in
	printf ':batch tab=1 batch=1\n%s\n:end\n' "$(<in)" >lines
	id=$(rr import -m "{\"user\":\"$evil\"}" lines)
	rr cat -dq "$id" >lines
	for command in "rr cat $id" "rr cat -d $id" "rr grep fdp $id" \
	    "rr grep fdp" "rr ls" "rr ls -j" "rr ls -j $id" "rr stat $id" \
	    "rr stat -j $id" "rr tail $id" "rr export $id" \
	    "rr export --html $id" 'rr-outline <lines' 'rr-clip 0 10 <lines' \
	    'rr-visible <lines' "rr rm -n $id" "rr rm -f $id"; do
		# What says how far it is moves the cursor, and is ours.
		script -qec "$command 2>/dev/null" /dev/null </dev/null >out
		echo "$command"
		[ -s out ]
		run -1 env LC_ALL=C grep -aP '[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b\xae]' out
		[[ $command == *stat* ]] || grep -aqF '<U+202E>' out
	done
	# A character that is cut by a write, and one that is none.
	printf '%s\n' ":meta {\"a\":\"$(head -c 70000 /dev/zero | tr '\0' x)$evil"$'\xff\xc2"}' >lines
	script -qec 'rr-outline <lines' /dev/null </dev/null | tail -c 50 >out
	grep -aqF 'x?31m ? <U+202E>fdp.exe <U+200B>??"}' out
	script -qec 'rr-visible <lines' /dev/null </dev/null | tail -c 50 | cmp - out
	# In a pipe it is as it is stored.
	rr-outline <lines | cmp - lines
	rr-visible <lines | cmp - lines
	rr import in >id
	id=$(<id)
	page_examples "$ROOT/bin/rr-visible/rr-visible.1" >script
	id=$id bash -eu -o pipefail script
	run -1 bash -c 'rr-visible <lines >/dev/full'
	run -64 rr-visible x
}

@test "open: the browser gets the address, or it is printed" {
	counted
	export RR_LISTEN_VIEW=0.0.0.0:8788
	unset DISPLAY WAYLAND_DISPLAY
	local url=http://127.0.0.1:8788/?id=$id
	printf '#!/bin/sh\nprintf "%%s|" "$@" >opened\n' >browser
	chmod +x browser
	[ -z "$(BROWSER=nosuch:$PWD/browser rr open "${id:0:9}" 2>err)" ]
	[ "$(<opened)" = "$url|" ]
	BROWSER="$PWD/browser -n %s -x" rr play -t 0:01.500 "$id"
	[ "$(<opened)" = "-n|$url#t=1500|-x|" ]
	[ "$(BROWSER='' rr open "$id")" = "$url" ]
	run -66 rr open 0123456789abcdef0123fghj0
	run -78 env RR_LISTEN_VIEW=unix:/x rr open "$id"
}

@test "cut: from the snapshots on, with tabs, gaps and numbers of its own" {
	local id part
	cat >whole <<-'EOF'
	:batch tab=a batch=1
	{"type":2,"timestamp":1000}
	:end
	:batch tab=a batch=2
	{"type":4,"timestamp":2000}
	{"type":2, "timestamp":2001}
	:end
	:gap tab=a batch=3-4 cause=overflow
	:batch tab=a batch=5
	{"type":3,"timestamp":3000}
	{"type":3,"timestamp":6000}
	:end
	:batch tab=a batch=7
	{"type":3,"timestamp":4000}
	:end
	:gap tab=a batch=8 cause=filter events=3 within=1
	:batch tab=a batch=8
	{"type":3,"timestamp":4500.5}
	{"no":"time"}
	:end
	:batch tab=b batch=2
	{"type":4,"timestamp":4100}
	{"type":2,"timestamp":4200}
	:end
	:batch tab=c batch=1
	{"type":4,"timestamp":900}
	{"type":2,"timestamp":901}
	:end
	:batch tab=a batch=9
	{"type":4,"timestamp":5000}
	{"type":2,"timestamp":5001}
	:end
	EOF
	id=$(rr import -m '{"user":"u"}' whole)
	part=$(rr cut "$id" @2500 @5000)
	rr cat -dq "$part" | grep -v '^:\(fence\|meta\|stop\|tail\)' |
	    sed 's/ \(snap\|seq\|seqs\|time\|first\|last\|flags\)=[^ ]*//g' >out ||
	    true
	diff - out <<-'EOF'
	:batch tab=a batch=1
	{"type":4,"timestamp":2000}
	{"type":2, "timestamp":2001}
	:end
	:gap tab=a batch=2-3 cause=overflow
	:batch tab=a batch=4
	{"type":3,"timestamp":3000}
	:end
	:gap tab=a batch=5 cause=lost
	:batch tab=a batch=6
	{"type":3,"timestamp":4000}
	:end
	:gap tab=a batch=7 cause=filter events=3 within=1
	:batch tab=a batch=7
	{"type":3,"timestamp":4500.5}
	{"no":"time"}
	:end
	:batch tab=b batch=1
	{"type":4,"timestamp":4100}
	{"type":2,"timestamp":4200}
	:end
	EOF
	rr-ls -j "$part" | jq -c '[.state, .user, .meta.cut]' >out
	echo "[\"stopped\",\"u\",{\"id\":\"$id\",\"from\":2500,\"to\":5000}]" |
	    diff - out
	run -65 rr cut "$id" @6500 @7000
	run -65 rr cut "$id" @1 @2
	run -64 rr cut "$id" @2 @2
	[ "$(rr-ls -j | jq '.sessions | length')" = 2 ]
}

@test "redact: the new one is complete, and nothing of the old remains" {
	local id new prog='if .type == 4 then .data.href |= sub("\\?.*"; "") else . end'
	id=$(rr import -m '{"user":"secret","source":"web"}' \
	    "$DATA/gen-session-shop.ndjson")
	run -78 rr redact "$id" '.['
	run -1 rr redact "$id" 'if .type == 5 then . else error("no") end'
	[[ $output == *"the program failed on event 1: no
rr-redact: $id is as it was" ]]
	run -1 rr redact "$id" 'if .data.href? then 7 else . end'
	[[ $output == *"the program failed on event 1: it makes no single object
rr-redact: $id is as it was" ]]
	run -1 rr redact -m '1' "$id" .
	rr cat "$id" | cmp - "$DATA/gen-session-shop.ndjson"
	[ "$(rr-ls -j | jq '.sessions | length')" = 1 ]

	new=$(rr redact -m 'del(.user)' "${id:0:9}" "$prog" 2>err)
	[ ! -s err ]
	rr-frame -f "$prog" "$DATA/gen-session-shop.ndjson" | rr-reassemble >should
	! cmp -s should "$DATA/gen-session-shop.ndjson"
	rr cat "$new" | cmp - should
	rr-ls -j | jq -c '.sessions[] | [.id, .state, .user, .source]' >out
	echo "[\"$new\",\"stopped\",null,\"web\"]" | diff - out
	run -66 rr cat "$id"

	# Without -m nothing is kept but what the events tell.
	echo "$prog" >prog.jq
	rr cat "$(rr redact -F prog.jq "$new")" | cmp - should
	[ "$(rr-ls -j | jq -c '.sessions[] | [.source, .url]')" = \
	    '[null,"http://127.0.0.1:8377/shop"]' ]
}

@test "redact: what cannot be judged, or may go on, is refused" {
	local id
	id=$(rr import "$DATA/gen-packed-strings.ndjson")
	run -1 rr redact "$id" .
	[[ $output == *'packed by rrweb'*"$id is as it was" ]]
	id=$(s2-stream new)
	printf '%s\n' :create ':fence set=active' ':end token=1' | rr-frame |
	    s2-append "$(s2-stream name "$id")"
	run -1 rr redact "$id" .
	[[ $output == *'it is not stopped'* ]]
	[ "$(rr-ls -j | jq '.sessions | length')" = 2 ]
}

# bin: the programs, each of which counts that it is started, and at the
# number in KILL_AT sends KILL_BY to all that runs.
shims() {
	local name
	mkdir bin
	for name in "$BUILD"/bin/*; do
		name=${name##*/}
		case $name in
		rr | rr-redact | rr-cut) ln -s "$(readlink -f "$BUILD/bin/$name")" bin/ ;;
		*)
			cat >"bin/$name" <<-EOF
			#!/bin/bash
			exec 7>>"$PWD/lock"
			flock 7
			echo >>"$PWD/count"
			n=\$(wc -l <"$PWD/count")
			exec 7>&-
			((n != KILL_AT)) || kill -s "\$KILL_BY" 0
			exec "$BUILD/bin/$name" "\$@"
			EOF
			chmod +x "bin/$name"
			;;
		esac
	done
}

# whole: the old one is there and whole, or the new one alone.
whole() {
	local left
	if rr cat "$id" >got 2>/dev/null; then
		cmp got "$DATA/real-stats-test-page.ndjson"
	else
		left=$(rr-ls -j | jq -r '.sessions[] | .id + " " + .state')
		[[ $left == *' stopped' ]]
		rr cat "${left% *}" | cmp - should
	fi
}

@test "redact: killed anywhere, the old one or the new one is whole" {
	local id n other prog='select(.type != 3)'
	rr-frame -f "$prog" "$DATA/real-stats-test-page.ndjson" |
	    rr-reassemble >should
	shims
	id=$(rr import "$DATA/real-stats-test-page.ndjson")
	export KILL_BY=KILL TMPDIR=$PWD/tmp
	mkdir tmp
	for ((n = 2;; n += 3)); do
		rm -f count
		start env PATH="$PWD/bin:$PATH" KILL_AT=$n \
		    "$PWD/bin/rr" redact "$id" "$prog"
		ended "$pid" && break
		whole
		rr-ls -j | jq -r '.sessions[].id' | while read -r other; do
			[[ $other == "$id" ]] || rr rm -f "$other"
		done
	done
	[ "$n" -gt 15 ]
	whole
	run -66 rr cat "$id"
	# No file of it is left.
	[ "$(find tmp -type f)" = '' ]
}

@test "cut: killed anywhere, what is stopped is whole, and no file is left" {
	local id n other
	id=$(rr import "$DATA/real-stats-test-page.ndjson")
	other=$(rr cut "$id" 0:02 0:05)
	rr cat "$other" >should
	rr rm -f "$other"
	shims
	export KILL_BY=KILL TMPDIR=$PWD/tmp
	mkdir tmp
	for ((n = 3;; n += 5)); do
		rm -f count
		start env PATH="$PWD/bin:$PATH" KILL_AT=$n \
		    "$PWD/bin/rr" cut "$id" 0:02 0:05
		ended "$pid" && break
		rr cat "$id" | cmp - "$DATA/real-stats-test-page.ndjson"
		rr-ls -j | jq -r '.sessions[] | "\(.id) \(.state)"' |
		    while read -r other state; do
			[[ $other != "$id" ]] || continue
			[[ $state != stopped ]] || rr cat "$other" | cmp - should
			rr rm -f "$other"
		done
	done
	[ "$n" -gt 10 ]
	rr cat "$(<"$BATS_TEST_TMPDIR/$pid.out")" | cmp - should
	[ "$(find tmp -type f)" = '' ]
}

@test "redact: ended by a signal, it says which is whole" {
	local id n new prog='select(.type != 3)'
	rr-frame -f "$prog" "$DATA/real-stats-test-page.ndjson" |
	    rr-reassemble >should
	shims
	id=$(rr import "$DATA/real-stats-test-page.ndjson")
	export KILL_BY=TERM
	start env PATH="$PWD/bin:$PATH" KILL_AT=5 "$PWD/bin/rr" redact "$id" "$prog"
	status=0
	ended "$pid" || status=$?
	[ "$status" = 143 ]
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/$pid.err")" = \
	    "rr-redact: $id is as it was" ]
	whole
	# The last thing that is started deletes the old one.
	printf '#!/bin/bash\nkill -s TERM 0\n' >bin/rr-rm
	start env PATH="$PWD/bin:$PATH" KILL_AT=0 "$PWD/bin/rr" redact "$id" "$prog"
	status=0
	ended "$pid" || status=$?
	[ "$status" = 143 ]
	new=$(rr-ls -j -n 1 | jq -r '.sessions[0].id')
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/$pid.err")" = \
	    "rr-redact: $new is whole, and $id may still be there: rr rm -fx $id" ]
	rr cat "$new" | cmp - should
}

@test "completion: commands, options and ids" {
	local id other
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	other=$(rr import "$DATA/fixture-iframe.ndjson")
	rr complete >words
	for word in cat complete export grep help ls play redact up; do
		grep -qx "$word" words || [ "$word" = complete ]
	done
	! grep -Eqx 'ingest|frame' words
	[ "$(rr complete re)" = "$(grep ^re words)" ]
	[ "$(rr complete export -)" = "$(printf '%s\n' --html --mp4 --ndjson -X -r -s -x)" ]
	[ "$(rr complete grep -)" = "$(printf '%s\n' -e -f -i -j -l -s)" ]
	[ "$(rr complete cat "${id:0:12}")" = "$id" ]
	[ "$(rr complete rm "$id" '')" = "$(printf '%s\n' "$id" "$other" | sort)" ]
	# Files, times and values are not ids.
	[ -z "$(rr complete export "$id" '')" ]
	[ -z "$(rr complete cut "$id" '')" ]
	[ -z "$(rr complete cat -f '')" ]
	[ -z "$(rr complete grep '')" ]
	[ "$(rr complete grep -f x "${id:0:12}")" = "$id" ]
	# Nobody waits for an S2 that is away.
	[ -z "$(S2_BASIN_ENDPOINT=http://127.0.0.1:9 rr complete cat '')" ]
}

@test "completion: bash and zsh load it" {
	local id
	id=$(rr import "$DATA/fixture-iframe.ndjson")
	[ "$(bash -c '. "$1"
	    COMP_WORDS=(rr stat "$2") COMP_CWORD=2
	    _rr && printf "%s\n" "${COMPREPLY[@]}"' - \
	    "$ROOT/scripts/completions/rr.bash" "${id:0:10}")" = "$id" ]
	cat >typed <<-'EOF'
	zmodload zsh/zpty
	zpty -b z "PS1= zsh -fi"
	zpty -w z "fpath=($1 \$fpath); autoload -Uz compinit; compinit -uD; stty -echo; bindkey -e"
	zpty -w z 'rr() { print "<$*>" }; print READ""Y'
	zpty -r -m z said '*READY*'
	zpty -n -w z $'rr sta\t'$2$'\t\n'
	zpty -r -m z said '*<*>*'
	print -r -- $said
	zpty -d z
	EOF
	timeout 60 zsh -f typed "$ROOT/scripts/completions" "${id:0:10}" >said
	cat -v said
	grep -q "<stat $id>" said
}

@test "the examples of the pages" {
	local id page
	printf '%s\n' \
	    '{"type":4,"data":{"href":"https://x/"},"timestamp":1767225600000}' \
	    '{"type":2,"data":{},"timestamp":1767225600001}' \
	    '{"type":5,"data":{"tag":"rr.error"},"timestamp":1767225661000}' \
	    '{"type":5,"data":{"tag":"rr.rage","x":"checkout"},"timestamp":1767225662000}' \
	    '{"type":3,"data":{"source":5,"text":"secret"},"timestamp":1767225800000}' >a.ndjson
	id=$(rr import a.ndjson)
	export BROWSER=''
	unset DISPLAY WAYLAND_DISPLAY
	for page in stat grep open cut redact; do
		page_examples "$ROOT/scripts/rr-$page.1"
	done | sed "s/3f2a/$id/" >script
	bash -ec "$(<script)" >said
	sed 's/[0-9a-z]\{25\}/ID/; /^created/d; /^stored/d' said | diff - <(
		cat <<-'EOF'
		id        ID
		state     stopped
		records   6
		duration  0:03:20
		tabs      1
		batches   1
		events    5
		pages     1
		clicks    0
		inputs    1
		errors    1
		console   0
		rage      1
		dead      0
		gaps      0
		EOF
		printf 'raw       %d\nID\n' "$(wc -c <a.ndjson)"
		grep checkout a.ndjson
		printf 'ID\nhttp://127.0.0.1:8788/?id=ID#t=90000\nID\n'
	)
	head -c 15 part.html | grep -q '<!doctype html>'
	run -66 rr cat "$id"
	run -1 rr grep secret

	# What joins; what comes before is run elsewhere.
	rr import -m '{"user":"ann"}' a.ndjson >ann
	id=$(rr import a.ndjson)
	export id
	page_examples "$ROOT/scripts/rr.7" | sed -n '/^rr ls/,$p' >script
	bash -ec "$(<script)" >said
	[ "$(grep -c '^duration  0:03:20$' said)" = 3 ]
	run -66 rr cat "$(<ann)"

	id=$(rr import a.ndjson)
	page_examples "$ROOT/scripts/rr.1" | sed "s/3f2a/$id/; /^rr up$/d" >script
	grep -q 'rr cat -s 1:00' script
	bash -ec "$(<script)" >said
	sed -n 3,4p a.ndjson | diff - <(grep '^{"type' said)
}

@test "rr commands: wrong use" {
	local args says none=0123456789abcdef0123fghj0
	while read -r args; do
		# shellcheck disable=SC2086 # words
		run -64 rr $args
	done <<-'EOF'
	export
	export --html
	export --frob x
	export a b c
	export -x
	stat
	stat -x
	cat -x y
	grep
	grep -j 0 x
	grep -j 65 x
	grep -s yonder x
	open
	open a b
	cut a b
	cut a b c d
	redact
	redact a
	redact -x
	EOF
	run -66 rr export -x ./nosuch
	# One line each: the program, what is wrong, and where help is.
	while IFS='|' read -r args says; do
		# shellcheck disable=SC2086 # words
		run -64 rr $args
		[ "$output" = "$says" ]
	done <<-'EOF'
	stat -x y|rr-stat: there is no option -x; see rr stat --help
	open -t|rr-open: -t takes a value; see rr open --help
	top --frob|rr-top: there is no option --frob; see rr top --help
	redact --frob|rr-redact: there are no long options; see rr redact --help
	import -x|rr: there is no option -x; see rr help
	EOF
	local command
	for command in import cat tail stop stat open; do
		run -0 rr "$command" --help
		[[ $output == 'usage: rr '* ]]
	done
	# What is not there has the same end by each.
	for args in "cat $none" "stat $none" "cut $none 0 1" "redact $none ." \
	    "open $none" "export --html $none"; do
		# shellcheck disable=SC2086 # words
		run -66 rr $args
		[ "${#lines[@]}" = 1 ]
	done
	run -1 rr token ./nosuch/users ann
	[ "$output" = "rr-token: cannot write './nosuch/users'" ]
}
