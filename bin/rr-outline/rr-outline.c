/*
 * rr-outline: of the lines of a recording those that tell what happened, and
 * not what it looked like.
 *
 * An event is looked at by itself: what it means for a viewer is for the
 * viewer to say.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "filter.h"
#include "lines.h"
#include "log.h"
#include "options.h"
#include "scan.h"
#include "sink.h"

#define EVENT_MAX	65536	/* bytes of one that is kept as it is */
#define NUMBER_MAX	24	/* bytes of a number that is looked at */

/* rrweb's sources of an incremental event that matter here. */
enum source {
	SOURCE_MOVE = 1,
	SOURCE_CLICK = 2,
	SOURCE_SCROLL = 3,
	SOURCE_SIZE = 4,
	SOURCE_INPUT = 5,
	SOURCE_TOUCH_MOVE = 6,
	SOURCE_DRAG = 12,
};

struct outline {
	struct sink sink;
	bool open;		/* inside a batch */
	bool moved;		/* somebody did something in it, ... */
	int64_t second;		/* ... last in this second */
};

static const char usage_text[] =
    "usage: rr-outline\n"
    "Of the lines of a recording, print what happened: pages, clicks, inputs,\n"
    "errors, the console, requests; not what the pages looked like.\n";

static void
put_line(struct outline *o, const char *line, size_t len)
{
	if (sink_add(&o->sink, line, len) == -1 ||
	    sink_add(&o->sink, "\n", 1) == -1)
		log_die_of_output();
}

/* A member of an object that is a whole number.  0 or -1. */
static int
get_number(const char *p, size_t len, const char *key, int64_t *out)
{
	char text[NUMBER_MAX];
	const char *value, *why;
	size_t n;

	if (scan_member(p, len, key, &value, &n) == -1 || n >= sizeof text)
		return -1;
	memcpy(text, value, n);
	text[n] = '\0';
	*out = strtonum(text, INT32_MIN, INT32_MAX, &why);
	return why == NULL ? 0 : -1;
}

/* In each second of a batch the first sign that somebody is there. */
static bool
is_first_move(struct outline *o, const struct scan *s)
{
	int64_t second = s->time / 1000;

	if (!s->has_time || (o->moved && o->second == second))
		return false;
	o->moved = true;
	o->second = second;
	return true;
}

static void
put_move(struct outline *o, int64_t source, const struct scan *s)
{
	char text[96];
	int n;

	if (!is_first_move(o, s))
		return;
	n = snprintf(text, sizeof text, "{\"type\":3,\"data\":{\"source\":"
	    "%lld},\"timestamp\":%lld}", (long long)source,
	    (long long)s->time);
	put_line(o, text, (size_t)n);
}

/* Of a snapshot only which node the document is, for what scrolls it. */
static void
put_snapshot(struct outline *o, const char *data, size_t len,
    const struct scan *s)
{
	const char *node;
	char text[96];
	size_t n;
	int64_t id;
	int size;

	if (!s->has_time || scan_member(data, len, "node", &node, &n) == -1 ||
	    get_number(node, n, "id", &id) == -1)
		return;
	size = snprintf(text, sizeof text, "{\"type\":2,\"data\":{\"node\":"
	    "{\"id\":%lld}},\"timestamp\":%lld}", (long long)id,
	    (long long)s->time);
	put_line(o, text, (size_t)size);
}

static void
take_incremental(struct outline *o, const char *line, size_t len,
    const char *data, size_t n, const struct scan *s)
{
	int64_t source;

	if (get_number(data, n, "source", &source) == -1)
		return;
	switch (source) {
	case SOURCE_MOVE:
	case SOURCE_TOUCH_MOVE:
	case SOURCE_DRAG:
		put_move(o, source, s);
		break;
	case SOURCE_CLICK:
	case SOURCE_SCROLL:
	case SOURCE_INPUT:
		is_first_move(o, s);
		/* FALLTHROUGH */
	case SOURCE_SIZE:
		put_line(o, line, len);
		break;
	default:
		break;
	}
}

static int
take_event(struct outline *o, const char *line, size_t len, const char **why)
{
	const char *data;
	struct scan s;
	size_t n;

	if (scan_event(line, len, &s) == -1) {
		*why = s.why;
		return -1;
	}
	if (s.type != EVENT_FULL_SNAPSHOT && len > EVENT_MAX)
		return 0;
	switch (s.type) {
	case EVENT_META:
	case EVENT_CUSTOM:
	case EVENT_PLUGIN:
		put_line(o, line, len);
		break;
	case EVENT_FULL_SNAPSHOT:
	case EVENT_INCREMENTAL:
		if (scan_member(line, len, "data", &data, &n) == -1)
			break;
		if (s.type == EVENT_INCREMENTAL)
			take_incremental(o, line, len, data, n, &s);
		else
			put_snapshot(o, data, n, &s);
		break;
	default:
		break;
	}
	return 0;
}

static int
take_directive(struct outline *o, const char *line, size_t len,
    const char **why)
{
	struct directive d;

	if (directive_parse(line, len, &d, why) == -1)
		return -1;
	o->open = directive_is(&d, "batch");
	if (o->open)
		o->moved = false;
	if (!directive_is(&d, "record"))
		put_line(o, line, len);
	return 0;
}

static int
take_line(void *arg, const char *line, size_t len, const char **why)
{
	struct outline *o = arg;

	if (len == 0)
		return 0;
	if (line[0] == ':')
		return take_directive(o, line, len, why);
	return take_event(o, line, len, why);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static struct outline o = { .sink = SINK_INIT(STDOUT_FILENO) };
	int c;

	log_init("rr-outline", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-outline " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (argc != optind)
		option_wrong("it takes no arguments");
	filter_lines(&o.sink, take_line, &o);
	if (o.open)
		log_die(EXIT_INPUT, "the input ends inside a batch");
	log_exit_flushed(EXIT_OK);
}
