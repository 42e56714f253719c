/*
 * rr-reassemble: the records of an S2 stream to event lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"
#include "options.h"
#include "reader.h"

#define READ_BYTES	(256u << 10)	/* asked of one read() */

static const char usage_text[] =
    "usage: rr-reassemble [-dq] [-e TO] [-F FILE | -f PROGRAM] [-s FROM] [-t TAB]\n"
    "                     [FILE ...]\n"
    "Turn the records of an S2 stream into event lines.\n"
    "  -d          print directives too: all of the recording\n"
    "  -e TO       only events before this time, ms since 1970\n"
    "  -F FILE     print what the jq program in FILE makes of each event\n"
    "  -f PROGRAM  print what this jq program makes of each event\n"
    "  -q          do not say what is missing; the exit status still does\n"
    "  -s FROM     only events of this time or later\n"
    "  -t TAB      only this browser tab, in hex\n";

/* All before it has been printed. */
static void __attribute__((noreturn))
bad(struct reader *r, const char *name, uint64_t offset, const char *why)
{
	sink_flush(&r->sink);
	log_die(EXIT_INPUT, "%s: byte %llu: %s", name,
	    (unsigned long long)offset, why);
}

static void __attribute__((noreturn))
failed(const struct reader *r)
{
	if (r->sink.failed)
		log_die_of_output();
	log_die(EXIT_OTHER, "cannot go on: %s", strerror(errno));
}

/*
 * Nobody should wait for what we hold while we wait; nor we for input, when
 * nobody reads any more.
 */
static void
wait_for_input(struct reader *r, int fd)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO },
	};

	if (poll(p, 1, 0) != 0)
		return;
	if (sink_flush(&r->sink) == -1)
		failed(r);
	while (poll(p, 2, -1) == -1 && errno == EINTR)
		continue;
	if (p[1].revents != 0)
		exit(EXIT_OTHER);
}

static void
read_records(struct reader *r, const char *name, int fd)
{
	struct buf b = BUF_INIT(READER_FIELD_MAX + READ_BYTES);
	uint64_t offset = 0;
	size_t good;
	ssize_t n;

	for (;;) {
		wait_for_input(r, fd);
		n = buf_read(&b, fd, READ_BYTES);
		if (n == 0)
			break;
		if (n == -1 && errno == EAGAIN)
			continue;
		if (n == -1) {
			sink_flush(&r->sink);
			log_die(EXIT_OTHER, "cannot read %s: %s", name,
			    strerror(errno));
		}
		n = reader_take(r, buf_bytes(&b), buf_size(&b), &good);
		if (n == -1 && r->why != NULL)
			bad(r, name, offset + good, r->why);
		if (n == -1)
			failed(r);
		offset += (uint64_t)n;
		buf_take(&b, (size_t)n);
	}
	if (buf_size(&b) > 0)
		bad(r, name, offset, "the input ends within a record");
	buf_release(&b);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *program = NULL, *program_file = NULL;
	struct reader_options o = { .from = INT64_MIN, .to = INT64_MAX };
	struct reader r;
	int c, fd, status;

	log_init("rr-reassemble", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "de:F:f:qs:t:", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			o.directives = true;
			break;
		case 'e':
			o.to = option_number("-e", optarg,
			    1 - RECORD_TIME_MAX, RECORD_TIME_MAX - 1);
			break;
		case 'F':
			program_file = optarg;
			break;
		case 'f':
			program = optarg;
			break;
		case 'q':
			log_set_level(LOG_LEVEL_ERR);
			break;
		case 's':
			o.from = option_number("-s", optarg,
			    1 - RECORD_TIME_MAX, RECORD_TIME_MAX - 1);
			o.timed = true;
			break;
		case 't':
			o.one_tab = true;
			o.tab = option_tab(optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-reassemble " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (o.from >= o.to)
		option_wrong("-s must be before -e");
	o.program = jqprog_option(program, program_file);

	if (reader_init(&r, &o, STDOUT_FILENO) == -1)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	if (optind == argc)
		read_records(&r, "stdin", STDIN_FILENO);
	for (; optind < argc; optind++) {
		fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
		if (fd == -1) {
			const int saved = errno;

			sink_flush(&r.sink);
			log_die(EXIT_MISSING, "cannot open '%s': %s",
			    argv[optind], strerror(saved));
		}
		read_records(&r, argv[optind], fd);
		close(fd);
	}
	if (reader_end(&r) == -1)
		failed(&r);
	status = r.missing ? EXIT_GAPS : r.failed > 0 ? EXIT_OTHER : EXIT_OK;
	reader_release(&r);
	jqprog_free(o.program);
	log_exit_flushed(status);
}
