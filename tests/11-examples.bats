# Every file of examples/ does what its first lines say.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	new_basin
	PATH=$ROOT/examples/pipelines:$PATH
}

@test "examples: clicks, visited and busiest tell of a session" {
	local id clicks
	clicks='.type == 3 and .data.source == 2 and .data.type == 2'
	id=$(rr import "$DATA/gen-session-shop.ndjson")
	clicks "$id" >clicked
	jq -s "map(select($clicks)) | length" "$DATA/gen-session-shop.ndjson" >n
	[ "$(wc -l <clicked)" = "$(cat n)" ]
	grep -Eqx '20[0-9-]{8}T[0-9:]{8}Z	[0-9]+' clicked
	[ "$(visited "$id" | wc -l)" = 9 ]
	visited "$id" | grep -Eq 'Z	http'
	busiest "$id" >made_of
	[ "$(head -n 1 made_of)" = 'bytes	events	type	source' ]
	[ "$(awk '{ n += $2 } END { print n }' made_of)" = \
	    "$(wc -l <"$DATA/gen-session-shop.ndjson")" ]
}

@test "examples: a backup has every session, and can be imported" {
	local id copy file
	for file in fixture-iframe real-stats-test-page; do
		rr import "$DATA/$file.ndjson"
	done >ids
	backup saved
	[ "$(ls saved)" = "$(sort ids | sed 's/$/.lines/')" ]
	while read -r id; do
		copy=$(rr import "saved/$id.lines")
		rr cat "$id" >was
		rr cat "$copy" | cmp - was
	done <ids
	backup saved
	[ "$(ls saved | wc -l)" = 4 ]
}

@test "examples: mask-mail.jq masks, and leaves the rest as it was" {
	printf '%s\n' '{"type":3,"data":{"text":"to a.b@shop.example, 4111 1111 1111 1111."}}' \
	    '{"type":3, "timestamp":1.50}' |
	    rr-frame -F "$ROOT/examples/mask-mail.jq" | rr-reassemble >masked
	printf '%s\n' '{"type":3,"data":{"text":"to *@*, ****."}}' \
	    '{"type":3, "timestamp":1.50}' | cmp - masked
}

@test "examples: strip-query.jq takes the queries, and leaves the rest" {
	printf '%s\n' \
	    '{"type":4,"data":{"href":"https://shop.example/a?mail=x#top","width":1}}' \
	    '{"type":2,"data":{"node":{"attributes":{"href":"/b?c","title":"/b?c","src":"data:,?"}}}}' \
	    '{"type":3, "data":{"text":"why? #1"}, "timestamp":1.50}' |
	    rr-frame -F "$ROOT/examples/strip-query.jq" | rr-reassemble >out
	diff - out <<-'EOF'
	{"type":4,"data":{"href":"https://shop.example/a","width":1}}
	{"type":2,"data":{"node":{"attributes":{"href":"/b","title":"/b?c","src":"data:,?"}}}}
	{"type":3, "data":{"text":"why? #1"}, "timestamp":1.50}
	EOF
}

@test "examples: drop-pages leaves out a page, and nothing of the others" {
	local id copy
	id=$(rr import "$DATA/real-hogflix-four-pages.ndjson")
	copy=$(rr cat -d "$id" | drop-pages '/demo/2\?' | rr import -)
	# Its events stand together: from its Meta event to the next one.
	awk '/"type":4,/ { hide = /demo\/2\?/ } !hide' \
	    "$DATA/real-hogflix-four-pages.ndjson" >should
	[ "$(wc -l <should)" -lt "$(wc -l <"$DATA/real-hogflix-four-pages.ndjson")" ]
	rr cat "$copy" | cmp - should
}

@test "examples: hash-user leaves no name" {
	local id new
	echo 0123456789abcdef >key
	printf '%s\n' '{"type":5,"data":{"tag":"login","payload":"Ann \"A\" B"}}' \
	    '{"type":3, "data":{}}' >in
	id=$(rr import -m '{"user":"Ann \"A\" B","source":"web"}' in)
	new=$(hash-user key "$id")
	rr ls -j "$new" | jq -c '[.user, .source]' >out
	echo '["u-HASH","web"]' | sed "s/HASH/$(printf '%s\n%s' \
	    0123456789abcdef '
Ann "A" B' | sha256sum | head -c 16)/" | diff - out
	[ "$(rr cat "$new" | tail -n 1)" = '{"type":3, "data":{}}' ]
	rr cat "$new" | grep -q '"payload":"u-'
	run -1 rr grep -i ann
	id=$(rr import in)
	run -65 hash-user key "$id"
	rr cat "$id" | cmp - in
}

@test "examples: the page that is recorded names what rr up serves" {
	grep -q '<script src="http://127.0.0.1:8787/rr.js" data-key="dev"' \
	    "$ROOT/examples/site.html"
}

@test "examples: scale says what rr-scale(7) says" {
	local scale=$ROOT/examples/scale page=$ROOT/scripts/rr-scale.7
	{
		"$scale"
		"$scale" live=20000
	} | sed 's/ *$//' >said
	sed -n '/^\.Bd -literal$/,/^\.Ed/{ /^\./!p; }' "$page" | diff said -
	page_examples "$page" | sed "s,/.*/examples/scale,$scale," >script
	[ "$(wc -l <script)" = 3 ]
	bash -euo pipefail script >output
	# What the balancer does is a matter of operations alone.
	[ "$("$scale" sticky=0 | diff <("$scale") - | grep -c 'append oper')" = 2 ]
	run -64 "$scale" days
	run -64 "$scale" nosuch=1
}
