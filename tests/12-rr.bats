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

@test "export: the examples of its page" {
	local id copy
	id=$(rr import "$DATA/gen-session-shop.ndjson")
	page_examples "$ROOT/scripts/rr-export.1" >script
	. ./script >tabs
	rr cat "$copy" | cmp - "$DATA/gen-session-shop.ndjson"
	[[ $(<tabs) =~ ^\ +[0-9]+\ :batch\ tab=0$ ]]
}

@test "rr commands: wrong use" {
	local args
	while read -r args; do
		# shellcheck disable=SC2086 # words
		run -64 rr $args
	done <<-'EOF'
	export
	export --html
	export --frob x
	export a b c
	export -x
	EOF
	run -66 rr export -x ./nosuch
}
