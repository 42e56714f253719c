#include <errno.h>
#include <unistd.h>

#include "exits.h"
#include "filter.h"
#include "lines.h"
#include "log.h"
#include "record.h"
#include "sse.h"

/* A batch, "data: " before each of its lines and all. */
#define MESSAGE_MAX	(RECORD_TEXT_MAX + DIRECTIVE_MAX_BYTES + \
			    16u * RECORD_COUNT_MAX)

struct filter {
	struct sse sse;
	int status;
};

static void
write_message(void *arg, const struct sse_message *m)
{
	struct filter *f = arg;
	const char *p = m->data;
	size_t left = m->len;
	ssize_t n;

	if (m->data == NULL) {
		log_err("cannot write a message: it is over %u bytes or there "
		    "is no memory", MESSAGE_MAX);
		f->status = EXIT_INPUT;
	}
	while (left > 0 && f->status == EXIT_OK) {
		n = write(STDOUT_FILENO, p, left);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			log_err("cannot write to standard output: %s",
			    strerror(errno));
			f->status = EXIT_OTHER;
			return;
		}
		p += n;
		left -= n;
	}
}

static int
bad_line(const struct lines *in, const char *why)
{
	log_err("cannot take line %llu of standard input: %s; see rr-lines(5)",
	    (unsigned long long)in->number, why);
	return EXIT_INPUT;
}

/* All lines that are here. */
static int
take_lines(struct filter *f, struct lines *in)
{
	const char *line, *why;
	size_t len;
	int got;

	while ((got = lines_next(in, &line, &len)) == 1) {
		if (sse_line(&f->sse, line, len, &why) == -1)
			return bad_line(in, why);
		if (f->status != EXIT_OK)
			return f->status;
	}
	if (got == -1) {
		in->number++;
		return bad_line(in, "it is longer than 64 MiB");
	}
	sse_pause(&f->sse);
	return f->status;
}

int
filter_run(void)
{
	struct lines in = LINES_INIT(STDIN_FILENO, LINE_MAX_BYTES);
	struct filter f = {
		.sse = SSE_INIT(MESSAGE_MAX, write_message, &f),
		.status = EXIT_OK,
	};
	int status = EXIT_OK;

	while (status == EXIT_OK && !in.eof) {
		if (lines_fill(&in) == -1) {
			log_err("cannot read standard input: %s",
			    strerror(errno));
			status = EXIT_OTHER;
			break;
		}
		status = take_lines(&f, &in);
	}
	if (status == EXIT_OK && sse_in_batch(&f.sse)) {
		log_err("standard input ends inside a batch, which is dropped");
		status = EXIT_INPUT;
	}
	sse_release(&f.sse);
	buf_release(&in.buf);
	return status;
}
