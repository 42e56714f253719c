#!/usr/bin/env bats
# Real browsers: the recorder on one origin, the collector on another, and the
# dashboard. What each does is said at the head of its file in browser/.
load helper

browser() {
	run node "$ROOT/tests/browser/$1.mjs"
	echo "$output"
	((status == 0))
}

@test "what is typed in one browser is on another's screen, and in the replay" {
	browser live
}

@test "tabs and pages are one session, and leaving loses nothing" {
	browser pages
}

@test "a collector that dies, a network that goes: nothing lost or doubled" {
	browser crash
}

@test "a visit that may not be recorded sends nothing, one that may sends all" {
	browser modes
}

@test "what a preset covers is in no stored byte" {
	browser privacy
}

@test "a page of one's own, by the examples of rr-recorder(7)" {
	browser site
}

@test "a page that is too much is not recorded for a while" {
	browser runaway
}

@test "a page with a strict policy is recorded within it" {
	browser csp
}

@test "a page that comes back as it was goes on where it was" {
	browser back
}

@test "a clock that is set does not move what was recorded" {
	browser clock
}

@test "a page made for RePlaya is recorded, with another host in it" {
	browser replaya
}

@test "the dashboard by keyboard and mouse, and a hostile recording" {
	browser dash
}

@test "what is drawn of a recording is what rrweb draws of the whole" {
	browser fidelity
}

@test "a long session is read in parts; who looked away goes on with now" {
	browser long
}

@test "hostile recordings run nothing, ask nobody, and end nothing" {
	browser hostile
}

@test "what other servers have is loaded for one session, if the viewer says so" {
	browser remote
}

@test "a bad network between page and collector loses and doubles nothing" {
	browser faults
}

@test "an exported page plays from file://, and asks nobody for anything" {
	browser export
}

@test "the recorder, rrweb inside, is at most 32 KB" {
	for file in rr.js rr.mjs recorder.js; do
		(($(stat -c %s "$BUILD/web/$file.gz") <= 32768))
	done
}

@test "the dashboard's script, without rrweb's player, is at most 60 KB" {
	size=$(stat -c %s "$BUILD"/web/app.*.js.gz)
	((size <= 60000))
}

@test "a login, roles, and a link to one session" {
	browser access
}

@test "the player's keys, timeline, inspector and search, one by one" {
	browser player
}

@test "how sessions ended, and what is said when there is nothing to see" {
	browser states
}
