#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "exits.h"
#include "input.h"
#include "lines.h"
#include "log.h"

#define FLUSH	(256u << 10)	/* bytes of records that are worth a write */

/* What is to come of an array. */
enum array {
	ARRAY_NONE,		/* the file holds lines */
	ARRAY_FIRST,		/* an element or the end */
	ARRAY_ELEMENT,		/* an element */
	ARRAY_NEXT,		/* a comma or the end */
	ARRAY_DONE,		/* nothing but blanks */
};

struct input {
	struct framer *f;
	const char *name;
	int wait_ms;
	struct lines lines;
	enum array array;
	uint64_t line;		/* of an array: where the buffer starts */
	size_t column;
	size_t enough;		/* bytes worth another look at an element */
	struct buf element;	/* one that was on several lines */
};

/* The system failed us. */
static void __attribute__((noreturn))
failed(struct input *in)
{
	if (in->f->sink.failed)
		log_die_of_output();
	log_die(EXIT_OTHER, "cannot go on, at %s: %s", in->name,
	    strerror(errno));
}

/* Write what is there, or also what is being packed. */
static void
write_out(struct input *in, bool all)
{
	if ((all && framer_settle(in->f) == -1) ||
	    sink_flush(&in->f->sink) == -1)
		failed(in);
}

/* What was read is wrong: let go all before it, say so, and exit. */
static void __attribute__((noreturn))
bad(struct input *in, uint64_t line, size_t column, const char *why)
{
	char text[FRAMER_WHY_MAX];

	strlcpy(text, why, sizeof text);
	framer_end(in->f);
	write_out(in, true);
	log_die(EXIT_INPUT, "%s:%llu:%zu: %s", in->name,
	    (unsigned long long)line, column, text);
}

/* The framer refused something at this place. */
static void __attribute__((noreturn))
refused(struct input *in, uint64_t line, size_t column)
{
	if (in->f->why[0] == '\0')
		failed(in);
	bad(in, line, column, in->f->why);
}

/* Move the place of an array's buffer behind p[0..n). */
static void
advance(struct input *in, size_t n)
{
	const unsigned char *p = buf_bytes(&in->lines.buf);
	const unsigned char *const end = p + n, *lf;

	while ((lf = memchr(p, '\n', end - p)) != NULL) {
		in->line++;
		in->column = 1;
		p = lf + 1;
	}
	in->column += end - p;
	buf_take(&in->lines.buf, n);
}

static void __attribute__((noreturn))
bad_element(struct input *in, size_t column, const char *why)
{
	advance(in, column - 1);
	bad(in, in->line, in->column, why);
}

/* Frame the element at the start of the buffer.  False if it needs more. */
static bool
array_element(struct input *in)
{
	const char *p = (const char *)buf_bytes(&in->lines.buf);
	size_t n = buf_size(&in->lines.buf), len;
	struct scan s;
	ssize_t r;

	if (n < in->enough && !in->lines.eof)
		return false;
	r = scan_value(p, n, &s);
	if (r == -1 || (r == 0 && in->lines.eof))
		bad_element(in, s.column, s.why);
	if ((r == 0 ? n : (size_t)r) > LINE_MAX_BYTES)
		bad_element(in, 1, "an event is too long");
	if (r == 0) {
		/*
		 * So a long one is not looked at over and over; the buffer
		 * takes little more than the longest.
		 */
		in->enough = n < LINE_MAX_BYTES / 2 ? 2 * n : LINE_MAX_BYTES;
		return false;
	}
	len = (size_t)r;
	in->enough = 0;
	if (memchr(p, '\n', len) != NULL) {
		buf_clear(&in->element);
		if (scan_add_line(&in->element, p, len) == -1)
			failed(in);
		p = (const char *)buf_bytes(&in->element);
		len = buf_size(&in->element);
	}
	if (framer_event(in->f, p, len, &s) == -1)
		refused(in, in->line, in->column);
	advance(in, (size_t)r);
	in->array = ARRAY_NEXT;
	return true;
}

/* Take one thing of an array.  False if that needs more input. */
static bool
array_next(struct input *in)
{
	const char *p = (const char *)buf_bytes(&in->lines.buf);
	size_t n = buf_size(&in->lines.buf), blanks;

	for (blanks = 0; blanks < n && strchr(" \t\r\n", p[blanks]) != NULL &&
	    p[blanks] != '\0'; blanks++)
		continue;
	if (blanks > 0) {
		advance(in, blanks);
		return true;
	}
	if (n == 0) {
		if (in->lines.eof && in->array != ARRAY_DONE)
			bad(in, in->line, in->column, "the array has no end");
		return false;
	}
	if (in->array == ARRAY_DONE)
		bad(in, in->line, in->column, "more behind the array");
	if (*p == ']' && in->array != ARRAY_ELEMENT) {
		in->array = ARRAY_DONE;
	} else if (in->array != ARRAY_NEXT) {
		return array_element(in);
	} else if (*p == ',') {
		in->array = ARRAY_ELEMENT;
	} else {
		bad(in, in->line, in->column, "no ',' or ']'");
	}
	advance(in, 1);
	return true;
}

/* Take one line.  False if that needs more input. */
static bool
line_next(struct input *in)
{
	struct lines *l = &in->lines;
	const char *line;
	size_t len;

	switch (lines_next(l, &line, &len)) {
	case 0:
		return false;
	case -1:
		bad(in, l->number, l->max + 1, "the line is too long");
	}
	if (framer_line(in->f, line, len) == -1)
		refused(in, l->number, in->f->column);
	return true;
}

/* Wait for input; but not when nobody reads any more what we write. */
static bool
ready(int fd, int timeout)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO },
	};
	int r;

	do
		r = poll(p, 2, timeout);
	while (r == -1 && errno == EINTR);
	if (r > 0 && p[1].revents != 0)
		exit(EXIT_OTHER);
	/* If poll() fails, read() will say why. */
	return r != 0;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Wait for input; nobody should wait for what we hold meanwhile.  A unit that
 * is not at its end yet is of no use to anybody.
 */
static void
wait_for_input(struct input *in)
{
	struct framer *f = in->f;
	int64_t left;

	while (!ready(in->lines.fd, 0)) {
		if (!f->o.many || !f->open_unit)
			write_out(in, true);
		left = -1;
		if (framer_waits(f)) {
			left = f->batch.since + in->wait_ms - now_ms();
			if (left < 0)
				left = 0;
		}
		if (ready(in->lines.fd, (int)left))
			return;
		if (framer_cut(f) == -1)
			refused(in, in->lines.number, 1);
	}
}

void
input_frame(struct framer *f, const char *name, int fd, int wait_ms)
{
	struct input in = {
		.f = f, .name = name, .wait_ms = wait_ms,
		.lines = LINES_INIT(fd, LINE_MAX_BYTES),
		.line = 1, .column = 1,
		.element = BUF_INIT(LINE_MAX_BYTES),
	};
	bool started = false;

	while (!in.lines.eof) {
		wait_for_input(&in);
		if (lines_fill(&in.lines) == -1 && errno != EAGAIN) {
			const int saved = errno;

			framer_end(f);
			write_out(&in, true);
			errno = saved;
			failed(&in);
		}
		if (!started && buf_size(&in.lines.buf) > 0) {
			started = true;
			if (*buf_bytes(&in.lines.buf) == '[') {
				in.array = ARRAY_FIRST;
				advance(&in, 1);
			}
		}
		while (in.array == ARRAY_NONE ? line_next(&in) :
		    array_next(&in))
			if (buf_size(&f->sink.buf) >= FLUSH)
				write_out(&in, false);
	}
	buf_release(&in.lines.buf);
	buf_release(&in.element);
}
