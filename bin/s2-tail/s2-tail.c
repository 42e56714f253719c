/*
 * s2-tail: reads a stream of S2 and writes its records to stdout, as a
 * ReadBatch of unlimited length; rr-records(5), "The pipe".
 *
 * Records go through byte for byte.  Writing blocks, and while it does
 * nothing is read: at most one frame of S2's and what libcurl and the kernel
 * hold wait for a slow reader.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "log.h"
#include "options.h"
#include "s2-tail.h"
#include "session.h"

#define PATIENCE_DEFAULT	30	/* s without S2, when not following */
#define PATIENCE_MAX		86400
#define PIPE_BYTES		(1 << 20)	/* asked of the kernel */
#define AWAY			1000	/* ms of failing tries: S2 is away */
#define TOKEN_STOPPED		"stopped"

struct tail {
	struct s2_reader reader;
	const char *session;	/* its id; NULL: the stream is not one's */
	bool follow;
	bool end_at_stop;	/* -x */
	int64_t patience;	/* ms; 0: for ever */
	bool begun;		/* the stream was there */
	bool stopped;		/* the fence was seen */
	bool behind;		/* the last batch did not reach the tail */
	bool told;		/* the tail was written since the last record */
	uint64_t next;		/* position behind the last record */
	uint64_t time;
	unsigned failures;	/* in a row */
	int64_t failing;	/* since when */
	int64_t alive;		/* when S2 gave the last sign */
	bool away_told;
	enum place_kind place;	/* where to start; with a pointer that is ... */
	struct snapshot snapshot;
	struct moment moment;
	bool unsure;		/* ... not sure until the first record came */
	uint64_t count;		/* -n */
};

static void
put(const void *bytes, size_t n)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	const unsigned char *p = bytes;
	ssize_t done;

	while (n > 0) {
		done = write(STDOUT_FILENO, p, n);
		if (done >= 0) {
			p += done;
			n -= done;
		} else if (errno == EAGAIN) {
			poll(&out, 1, -1);
		} else if (errno != EINTR) {
			log_die_of_output();
		}
	}
}

static void
put_tail(struct tail *t, uint64_t seq, uint64_t time)
{
	unsigned char field[2 + 2 * (1 + PB_VARINT_MAX)], *p = field + 2;

	if (seq > 0) {
		*p++ = 1 << 3 | PB_VARINT;
		p = pb_put_varint(p, seq);
	}
	if (time > 0) {
		*p++ = 2 << 3 | PB_VARINT;
		p = pb_put_varint(p, time);
	}
	field[0] = PIPE_TAIL << 3 | PB_LEN;
	field[1] = (unsigned char)(p - field - 2);
	put(field, p - field);
	t->told = true;
}

/* Look for the end of a session: the fence, then its stop record. */
static bool
is_stop(struct tail *t, const struct pb_field *f)
{
	struct record_head h;
	struct record r;

	if (record_get(f->bytes, f->len, &r) == -1)
		return false;
	if (record_is_fence(&r))
		t->stopped = r.body_len == strlen(TOKEN_STOPPED) &&
		    memcmp(r.body, TOKEN_STOPPED, r.body_len) == 0;
	return t->stopped && record_is_session(&r) &&
	    record_head_get(r.value, r.value_len, &h) == 0 &&
	    h.kind == RECORD_STOP;
}

/*
 * Write the records of a batch, up to the stop if that is the end.  True if
 * it was there; then *rest tells whether something follows it.
 */
static bool
put_records(struct tail *t, const struct s2_batch *b, bool *rest)
{
	const unsigned char *p = b->bytes, *from = p;
	const unsigned char *end = b->bytes + b->size;
	struct pb_field f;
	ssize_t took;
	bool stop = false;

	for (; p < end && !stop; p += took) {
		took = pb_next(p, end - p, &f, NULL);
		if (took <= 0)
			break;		/* cannot be: the reader looked */
		if (f.no != PIPE_RECORD) {
			put(from, p - from);
			from = p + took;
		} else if (t->end_at_stop) {
			stop = is_stop(t, &f);
		}
	}
	put(from, p - from);
	*rest = p < end && *p == (PIPE_RECORD << 3 | PB_LEN);
	return stop;
}

/* Does the first record hold the snapshot that it should? */
static bool
is_at_snapshot(struct tail *t, const struct s2_batch *b)
{
	const unsigned char *p = b->bytes;
	size_t n = b->size;
	struct record r;

	if (s2_batch_record(&p, &n, &r) != 1)
		return false;
	if (t->place == PLACE_MOMENT)
		return moment_is_start(&t->moment, &r);
	return r.seq == t->snapshot.start && is_snapshot(&r, t->snapshot.tab);
}

static int
on_batch(void *arg, const struct s2_batch *b)
{
	struct tail *t = arg;
	bool stop, rest;

	if (t->unsure && b->records > 0) {
		if (!is_at_snapshot(t, b))
			return 1;
		t->unsure = false;
	}
	if (t->away_told)
		log_warn("S2 is back");
	t->away_told = false;
	t->failures = 0;
	t->begun = true;
	stop = put_records(t, b, &rest);
	t->alive = s2_now();	/* not before: it may have blocked */
	if (b->records > 0)
		t->told = t->told && !t->behind;
	t->next = b->next;
	t->time = b->time;
	t->behind = !b->has_tail || b->tail_seq > b->next;
	/* A fence alone ends it too, when nothing came with it. */
	if (t->end_at_stop && t->stopped && !t->behind)
		stop = true;
	/* Once caught up it stays so, and goes without saying. */
	if (!t->behind && !rest && (!t->told || stop))
		put_tail(t, b->next, b->tail_time);
	return stop;
}

/* Wait, but not for longer than somebody reads. */
static void
pause_for(int64_t ms)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	int64_t until = s2_now() + ms;

	for (; ms > 0; ms = until - s2_now())
		if (poll(&out, 1, (int)ms) == 1)
			exit(EXIT_OTHER);
}

/* True if the error says that the stream is no more. */
static bool
is_gone(const struct s2_error *e)
{
	return strcmp(e->code, "stream_not_found") == 0 ||
	    strcmp(e->code, "basin_not_found") == 0 ||
	    strcmp(e->code, "stream_deletion_pending") == 0 ||
	    strcmp(e->code, "basin_deletion_pending") == 0;
}

/* How long a read may wait for a sign of S2, ms. */
static int64_t
silence_allowed(const struct tail *t)
{
	int64_t left = t->alive + t->patience - s2_now();

	if (t->patience == 0 || left > S2_READ_SILENCE)
		return S2_READ_SILENCE;
	return left < 1 ? 1 : left;
}

/* A session failed: end, or wait until it is time for the next. */
static void
take_failure(struct tail *t)
{
	const struct s2_error *e = &t->reader.error;
	int64_t left, ms;

	if (is_gone(e) || e->unwritten) {
		/* Positions never go back: it was made anew. */
		if (t->begun) {
			log_info("the stream was deleted: %s", e->text);
			exit(EXIT_OK);
		}
		if (t->session != NULL &&
		    strcmp(e->code, "stream_not_found") == 0)
			log_die(EXIT_MISSING, "there is no session %s; rr ls "
			    "lists those that there are", t->session);
		if (is_gone(e))
			log_die(EXIT_MISSING, "%s", e->text);
		log_die(EXIT_INPUT, "cannot start at record %llu: the tail of "
		    "the stream is %llu",
		    (unsigned long long)t->reader.range.start,
		    (unsigned long long)e->seq);
	}
	if (!e->retryable)
		log_die(e->exit, "%s", e->text);
	left = t->alive + t->patience - s2_now();
	if (t->patience > 0 && left <= 0)
		log_die(EXIT_TRYAGAIN, "%s; gave up after %lld s: try again "
		    "later", e->text, (long long)t->patience / 1000);
	/* What a try soon after mends was a cut, and not worth a line. */
	if (t->failures == 0)
		t->failing = s2_now();
	if (!t->away_told && s2_now() - t->failing >= AWAY) {
		log_warn("S2 is away: %s; trying again", e->text);
		t->away_told = true;
	} else {
		log_info("%s; trying again", e->text);
	}
	ms = s2_backoff(t->failures++);
	if (ms < e->retry_after)
		ms = e->retry_after;
	if (t->patience > 0 && ms > left)
		ms = left;
	pause_for(ms);
}

static void
start_at_snapshot(struct tail *t, struct look *look)
{
	struct snapshot *s = &t->snapshot;
	struct s2_range *range = &t->reader.range;

	while (snapshot_find(look, s) == -1) {
		t->reader.error = look->error;
		take_failure(t);
	}
	range->from = S2_FROM_SEQ;
	range->start = s->start;
	range->count = t->count;
	t->unsure = !s->sure;
	log_info("the last snapshot is at %llu", (unsigned long long)s->start);
}

static void
start_at_moment(struct tail *t, struct look *look)
{
	struct moment *m = &t->moment;
	struct s2_range *range = &t->reader.range;

	while (moment_find(look, m) == -1) {
		t->reader.error = look->error;
		take_failure(t);
	}
	range->from = S2_FROM_SEQ;
	range->start = m->start;
	range->count = t->count == 0 ? 0 : t->count + m->reach - m->start;
	t->unsure = !m->sure;
	log_info("it is at %llu, the snapshot before it at %llu",
	    (unsigned long long)m->reach, (unsigned long long)m->start);
}

/* Find where to start; it does not return until it has. */
static void
find_start(struct tail *t, bool hints)
{
	struct s2_reader *r = &t->reader;
	struct look look = { .basin = r->basin, .stream = r->stream,
	    .timeout = (unsigned)silence_allowed(t) };

	if (look_open(&look, r->conf) == -1)
		log_die(EXIT_OTHER, "%s", look.error.text);
	t->snapshot.hints = t->moment.hints = hints;
	if (t->place == PLACE_SNAPSHOT)
		start_at_snapshot(t, &look);
	else
		start_at_moment(t, &look);
	look_close(&look);
}

static void __attribute__((noreturn))
run(struct tail *t)
{
	for (;;) {
		t->reader.silence = silence_allowed(t);
		switch (s2_reader_run(&t->reader)) {
		case S2_READER_TAIL:
			if (!t->told)
				put_tail(t, t->next, t->time);
			exit(EXIT_OK);
		case S2_READER_ENOUGH:
			if (!t->unsure)
				exit(EXIT_OK);
			/* The pointer was wrong. */
			find_start(t, false);
			break;
		case S2_READER_END:
			exit(EXIT_OK);
		case S2_READER_LEFT:
			exit(EXIT_OTHER);
		case S2_READER_FAILED:
			take_failure(t);
		}
	}
}

static void
start_at(struct tail *t, const struct place *place)
{
	static const enum s2_from from[] = {
		[PLACE_SEQ] = S2_FROM_SEQ,
		[PLACE_TIME] = S2_FROM_TIME,
		[PLACE_LAST] = S2_FROM_TAIL,
		[PLACE_SNAPSHOT] = S2_FROM_SEQ,
		[PLACE_MOMENT] = S2_FROM_SEQ,
	};

	t->reader.range.from = from[place->kind];
	t->reader.range.start = place->value;
	t->count = t->reader.range.count;
	t->place = place->kind;
	t->moment.ms = place->moment;
	t->moment.past_start = place->past_start;
	t->moment.has_tab = place->has_tab;
	t->moment.tab = place->tab;
	if (t->place == PLACE_SNAPSHOT || t->place == PLACE_MOMENT)
		find_start(t, true);
}

static const char usage_text[] =
    "usage: s2-tail [-fvx] [-e END] [-n COUNT] [-s START] [-t SECONDS]\n"
    "               s2://BASIN/STREAM\n"
    "Write the records of an S2 stream to standard output.\n"
    "  -e END      only records before this number or time\n"
    "  -f          go on at the tail: wait for what comes\n"
    "  -n COUNT    at most so many records; with at=, from that one on\n"
    "  -s START    from a record number, -N (the last N), @MS or an RFC 3339\n"
    "              time, start (the default), snapshot, or at=[+]MS[,TAB]\n"
    "  -t SECONDS  give up when S2 is away for so long (30; with -f never: 0)\n"
    "  -v          say on standard error what happens\n"
    "  -x          end when the session is stopped\n";

static void
option_place(char option, const char *text, struct place *place)
{
	if (place_parse(text, place) == -1 ||
	    (option == 'e' && ((place->kind != PLACE_SEQ &&
	    place->kind != PLACE_TIME) || place->value == 0)))
		log_die(EXIT_USAGE, "-%c: '%s' is no place in a stream; see "
		    "s2-tail --help", option, text);
}

int
main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static struct tail t;
	struct place from = { .kind = PLACE_SEQ }, end = from;
	struct settings settings;
	struct s2_conf conf;
	struct s2_uri uri;
	const char *why;
	int64_t patience = -1;
	int c;

	log_init("s2-tail", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "e:fn:s:t:vx", longopts,
	    NULL)) != -1) {
		switch (c) {
		case 'e':
			option_place('e', optarg, &end);
			break;
		case 'f':
			t.follow = true;
			break;
		case 'n':
			t.reader.range.count = (uint64_t)option_number("-n",
			    optarg, 1, INT64_MAX);
			break;
		case 's':
			option_place('s', optarg, &from);
			break;
		case 't':
			patience = option_number("-t", optarg, 0, PATIENCE_MAX);
			break;
		case 'v':
			log_set_level(LOG_LEVEL_INFO);
			break;
		case 'x':
			t.end_at_stop = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("s2-tail " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (argc - optind != 1)
		option_wrong("one s2://BASIN/STREAM is needed");
	if (s2_uri_parse(argv[optind], &uri, &why) == -1)
		log_die(EXIT_USAGE, "'%s': %s", argv[optind], why);
	if (uri.stream[0] == '\0')
		option_wrong("the stream is missing in s2://BASIN/STREAM");
	if (isatty(STDOUT_FILENO))
		option_wrong("records are binary and not for a terminal: send "
		    "them to a file or to rr-reassemble");
	if (settings_load(&settings) == -1 ||
	    s2_conf_load(&conf, &settings) == -1)
		log_die(EXIT_CONFIG, "%s", settings.why);
	if (patience == -1)
		patience = t.follow ? 0 : PATIENCE_DEFAULT;

	signal(SIGPIPE, SIG_IGN);
	/* A larger pipe means fewer switches between it and its reader. */
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	t.patience = patience * 1000;
	t.alive = s2_now();
	t.reader.conf = &conf;
	t.reader.basin = uri.basin;
	t.reader.stream = uri.stream;
	t.session = session_of_stream(settings_prefix(&settings), uri.stream);
	t.reader.follow = t.follow;
	t.reader.watch = STDOUT_FILENO;
	t.reader.batch = on_batch;
	t.reader.arg = &t;
	if (end.kind == PLACE_TIME)
		t.reader.range.until = end.value;
	else
		t.reader.end = end.value;
	start_at(&t, &from);
	run(&t);
}
