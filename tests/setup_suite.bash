# shellcheck shell=bash
# Once before and after all tests: the recordings, and the s2-lite they share.

setup_suite() {
	# shellcheck source=helper.bash
	. "$BATS_TEST_DIRNAME/helper.bash"
	local file
	mkdir "$DATA"
	for file in "$BATS_TEST_DIRNAME"/data/*.ndjson.zst; do
		zstd -dq "$file" -o "$DATA/$(basename "$file" .zst)"
	done
	for file in "$BATS_TEST_DIRNAME"/data/*.ndjson; do
		ln -s "$file" "$DATA/"
	done
	BATS_TEST_TMPDIR=$BATS_SUITE_TMPDIR
	start_s2 "$BATS_SUITE_TMPDIR/s2"
}

teardown_suite() {
	stop_all
}
