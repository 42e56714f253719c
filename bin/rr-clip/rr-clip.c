/*
 * rr-clip: of the lines of a recording those that a span of time needs.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clip.h"
#include "exits.h"
#include "filter.h"
#include "log.h"
#include "options.h"
#include "sink.h"

#define GAPS_MAX	65536	/* bytes of gaps that wait for a batch */

static const char usage_text[] =
    "usage: rr-clip [-s TAB@SEQ[,...]] FROM TO\n"
    "       rr-clip -p FROM TO\n"
    "Of the lines of a recording, print what was recorded from FROM on and\n"
    "before TO, in milliseconds since 1970, by rrweb's times.\n"
    "  -p  print where that stands: start=SEQ end=SEQ [tabs=TAB@SEQ,...]\n"
    "  -s  these tabs start there: print what the page at FROM is made of\n";

/* What -p knows of a tab. */
struct tab {
	uint32_t tab;
	bool drawn;		/* 'start' is set */
	bool goes;		/* something of it is in the span */
	bool ended;		/* it went past the span */
	uint64_t start;
};

struct clip_run {
	struct span span;
	bool place;		/* -p */
	struct batch batch;
	struct buf gaps;	/* found; they go with the next batch */
	struct sink sink;
	/* -p: */
	bool found;
	uint64_t start, end;
	unsigned ntabs;
	struct tab tabs[CLIP_TABS_MAX];
};

static void
put(struct clip_run *c, const void *p, size_t n)
{
	if (sink_add(&c->sink, p, n) == -1)
		log_die_of_output();
}

static void
put_line(struct clip_run *c, const char *line, size_t len)
{
	put(c, line, len);
	put(c, "\n", 1);
}

/* ---- where it stands ---- */

static struct tab *
find_tab(struct clip_run *c, uint32_t tab)
{
	unsigned i;

	for (i = 0; i < c->ntabs; i++)
		if (c->tabs[i].tab == tab)
			return &c->tabs[i];
	if (c->ntabs == CLIP_TABS_MAX)
		return NULL;
	c->tabs[c->ntabs] = (struct tab){ .tab = tab };
	return &c->tabs[c->ntabs++];
}

/* A tab that has gone past the span does not come back by its clock. */
static void
place_batch(struct clip_run *c)
{
	struct batch *b = &c->batch;
	struct tab *t;

	if (!b->has_seq)
		log_die(EXIT_INPUT, "the batches have no place in a stream; -p "
		    "takes what s2-tail | rr-reassemble -d prints");
	if (!b->has_time || (t = find_tab(c, b->tab)) == NULL || t->ended)
		return;
	if (b->first >= c->span.to) {
		t->ended = true;
		return;
	}
	if (b->full && b->first <= c->span.from &&
	    batch_snapshot(b, c->span.from) != -1) {
		t->drawn = true;
		t->start = b->seq;
	}
	if (b->last < c->span.from)
		return;
	t->goes = true;
	if (!c->found || b->seq < c->start)
		c->start = b->seq;
	if (!c->found || b->seq + b->seqs > c->end)
		c->end = b->seq + b->seqs;
	c->found = true;
}

static void
print_place(struct clip_run *c)
{
	const struct tab *t, *end = c->tabs + c->ntabs;
	unsigned n = 0;

	if (!c->found)
		log_die(EXIT_INPUT, "nothing that tells its time was recorded "
		    "then");
	for (t = c->tabs; t < end; t++)
		if (t->drawn && t->goes && n++ < CLIP_STARTS_MAX &&
		    t->start < c->start)
			c->start = t->start;
	printf("start=%llu end=%llu", (unsigned long long)c->start,
	    (unsigned long long)c->end);
	for (t = c->tabs, n = 0; t < end; t++)
		if (t->drawn && t->goes && n < CLIP_STARTS_MAX)
			printf("%s%x@%llu", n++ == 0 ? " tabs=" : ",", t->tab,
			    (unsigned long long)t->start);
	putchar('\n');
}

/* ---- what there is of it ---- */

/* The directive without what would tell of events that are not there. */
static void
put_head(struct clip_run *c)
{
	const struct batch *b = &c->batch;
	const struct event *e, *first = NULL, *last = NULL;
	const char *line = (const char *)buf_bytes(&b->head), *why;
	struct directive d;
	bool full = false;
	int64_t low = 0, high = 0;
	char text[96];
	int i;

	for (e = b->events; e < b->events + b->n; e++) {
		if (!e->kept)
			continue;
		if (first == NULL || e->time < low)
			low = (first = e)->time;
		if (last == NULL || e->time > high)
			high = (last = e)->time;
		full |= e->type == 2 && e > b->events && e[-1].kept &&
		    e[-1].type == 4;
	}
	/* It was good when it came. */
	if (directive_parse(line, buf_size(&b->head), &d, &why) == -1)
		return;
	put(c, ":batch", strlen(":batch"));
	for (i = 0; i < d.nargs; i++) {
		if ((d.args[i].key_len == 5 &&
		    memcmp(d.args[i].key, "first", 5) == 0) ||
		    (d.args[i].key_len == 4 &&
		    memcmp(d.args[i].key, "last", 4) == 0) ||
		    (d.args[i].key_len == 5 &&
		    memcmp(d.args[i].key, "flags", 5) == 0))
			continue;
		put(c, " ", 1);
		put(c, d.args[i].key, d.args[i].value + d.args[i].value_len -
		    d.args[i].key);
	}
	snprintf(text, sizeof text, " first=%lld last=%lld%s\n",
	    (long long)low, (long long)high, full ? " flags=full" : "");
	put(c, text, strlen(text));
}

static void
put_batch(struct clip_run *c, enum clip what)
{
	const struct batch *b = &c->batch;
	const char *text = (const char *)buf_bytes(&b->text);
	const struct event *e;

	if (what == CLIP_ALL)
		put_line(c, (const char *)buf_bytes(&b->head),
		    buf_size(&b->head));
	else if (!b->bare)
		put_head(c);
	for (e = b->events; e < b->events + b->n; e++)
		if (what == CLIP_ALL || e->kept)
			put(c, text + e->off, e->len + 1);
	if (!b->bare)
		put_line(c, ":end", strlen(":end"));
}

static void
end_batch(struct clip_run *c)
{
	enum clip what;

	c->batch.open = false;
	if (c->place) {
		place_batch(c);
		return;
	}
	what = clip_batch(&c->span, &c->batch);
	if (what == CLIP_SOME || what == CLIP_ALL)
		put(c, buf_bytes(&c->gaps), buf_size(&c->gaps));
	buf_clear(&c->gaps);
	if (what != CLIP_NONE)
		put_batch(c, what);
}

/* ---- lines ---- */

static int
take_directive(struct clip_run *c, const char *line, size_t len,
    const char **why)
{
	struct directive d;

	if (directive_parse(line, len, &d, why) == -1)
		return -1;
	if (directive_is(&d, "end")) {
		if (c->batch.open)
			end_batch(c);
		return 0;
	}
	if (c->batch.open) {
		if (!c->batch.bare) {
			*why = "a directive stands inside a batch";
			return -1;
		}
		end_batch(c);
	}
	if (directive_is(&d, "batch"))
		return batch_begin(&c->batch, &d, line, len, why);
	if (c->place)
		return 0;
	if (directive_is(&d, "tail") || directive_is(&d, "next"))
		put_line(c, line, len);
	else if (directive_is(&d, "gap") &&
	    buf_add(&c->gaps, line, len) == 0)
		buf_add(&c->gaps, "\n", 1);
	return 0;
}

static int
take_line(void *arg, const char *line, size_t len, const char **why)
{
	struct clip_run *c = arg;

	if (len == 0)
		return 0;
	switch (line[0]) {
	case ':':
		return take_directive(c, line, len, why);
	case '{':
	case '"':
		if (!c->batch.open && batch_begin(&c->batch, NULL, NULL, 0,
		    why) == -1)
			return -1;
		/* What stands in no batch has no end. */
		if (c->batch.bare && c->batch.n == RECORD_COUNT_MAX) {
			end_batch(c);
			c->batch.open = true;
			c->batch.n = 0;
			buf_clear(&c->batch.text);
		}
		return batch_add(&c->batch, line, len, why);
	default:
		*why = "it is neither an event nor a directive";
		return -1;
	}
}

/* ---- options ---- */

static void
take_starts(struct span *s, char *list)
{
	const char *bad;
	char *word, *at;

	while ((word = strsep(&list, ",")) != NULL) {
		if ((at = strchr(word, '@')) == NULL)
			option_wrong("-s takes TAB@SEQ");
		if (s->nstarts == CLIP_STARTS_MAX)
			option_wrong("-s takes 16 tabs at most");
		*at++ = '\0';
		s->starts[s->nstarts].tab = option_tab(word);
		s->starts[s->nstarts++].seq = (uint64_t)strtonum(at, 0,
		    INT64_MAX, &bad);
		if (bad != NULL)
			option_wrong("-s: '%s' is no number of a record", at);
	}
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static struct clip_run c = {
		.gaps = BUF_INIT(GAPS_MAX), .sink = SINK_INIT(STDOUT_FILENO),
	};
	int o;

	log_init("rr-clip", LOG_LEVEL_WARN);
	while ((o = getopt_long(argc, argv, "ps:", longs, NULL)) != -1) {
		switch (o) {
		case 'p':
			c.place = true;
			break;
		case 's':
			take_starts(&c.span, optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-clip " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (argc - optind != 2)
		option_wrong("it takes FROM and TO");
	if (c.place && c.span.nstarts > 0)
		option_wrong("-p finds what -s takes");
	c.span.from = option_number("FROM", argv[optind], 0, RECORD_TIME_MAX);
	c.span.to = option_number("TO", argv[optind + 1], 0, RECORD_TIME_MAX);
	if (c.span.from >= c.span.to)
		option_wrong("FROM must be before TO");
	if (batch_init(&c.batch) == -1)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	filter_lines(&c.sink, take_line, &c);
	if (c.batch.open && !c.batch.bare)
		log_die(EXIT_INPUT, "the input ends inside a batch");
	if (c.batch.open)
		end_batch(&c);
	if (sink_flush(&c.sink) == -1)
		log_die_of_output();
	if (c.place)
		print_place(&c);
	batch_release(&c.batch);
	buf_release(&c.gaps);
	log_exit_flushed(EXIT_OK);
}
