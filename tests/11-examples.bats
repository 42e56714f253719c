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
