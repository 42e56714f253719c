/*
 * rr-meter: what S2 counts of records: how many, their metered bytes, and the
 * append operations that brought them.
 */
#include <errno.h>
#include <getopt.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"
#include "record.h"

#define READ_BYTES	(256u << 10)	/* asked of one read() */
#define FIELD_MAX	(4u << 20)	/* bytes of a field: S2's are half that */
#define OP_MS		60000		/* an append operation lasts a minute */

static const char usage_text[] =
    "usage: rr-meter\n"
    "Read the records of one S2 stream, and print what S2 counts of them.\n";

struct meter {
	uint64_t records;
	uint64_t bytes;
	uint64_t ops;
	uint64_t op;		/* ms: when the last operation began */
	uint64_t first;		/* ms: S2's time of the first record */
	uint64_t last;
};

static void
count(struct meter *m, const struct pb_field *f, const struct record *r)
{
	m->bytes += record_metered(f->bytes, f->len);
	if (m->records++ == 0)
		m->first = r->time;
	m->last = r->time;
	/* Records from a file have no time, and so came at once. */
	if (m->ops == 0 || r->time >= m->op + OP_MS) {
		m->ops++;
		m->op = r->time;
	}
}

/* Count the whole fields of b, and take them.  0, or -1: no such fields. */
static int
take_fields(struct meter *m, struct buf *b)
{
	struct pb_field f;
	struct record r;
	ssize_t took;

	while ((took = pb_next(buf_bytes(b), buf_size(b), &f, NULL)) > 0) {
		if (f.no == PIPE_RECORD && f.wire == PB_LEN) {
			if (record_get(f.bytes, f.len, &r) == -1)
				return -1;
			count(m, &f, &r);
		}
		buf_take(b, (size_t)took);
	}
	return took == 0 && buf_size(b) < FIELD_MAX ? 0 : -1;
}

static void
read_records(struct meter *m)
{
	struct buf b = BUF_INIT(FIELD_MAX + READ_BYTES);
	uint64_t offset = 0;
	size_t had;
	ssize_t n;

	while ((n = buf_read(&b, STDIN_FILENO, READ_BYTES)) > 0) {
		had = buf_size(&b);
		if (take_fields(m, &b) == -1)
			log_die(EXIT_INPUT, "byte %llu: this is no record",
			    (unsigned long long)(offset + had - buf_size(&b)));
		offset += had - buf_size(&b);
	}
	if (n == -1)
		log_die(EXIT_OTHER, "cannot read: %s", strerror(errno));
	if (buf_size(&b) > 0)
		log_die(EXIT_INPUT, "byte %llu: the input ends within a "
		    "record", (unsigned long long)offset);
	buf_release(&b);
}

int
main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct meter m = { 0 };
	int c;

	log_init("rr-meter", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-meter " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (optind != argc) {
		fputs(usage_text, stderr);
		exit(EXIT_USAGE);
	}
	read_records(&m);
	printf("records=%llu bytes=%llu ops=%llu first=%llu last=%llu\n",
	    (unsigned long long)m.records, (unsigned long long)m.bytes,
	    (unsigned long long)m.ops, (unsigned long long)m.first,
	    (unsigned long long)m.last);
	log_exit_flushed(EXIT_OK);
}
