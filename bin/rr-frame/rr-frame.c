/*
 * rr-frame: event lines to the records of an S2 stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "exits.h"
#include "framer.h"
#include "input.h"
#include "log.h"
#include "options.h"

#define SIZE_DEFAULT	(256u << 10)
#define COUNT_DEFAULT	1000
#define WAIT_DEFAULT	1000		/* ms */
#define WAIT_MAX	3600000

static const char usage_text[] =
    "usage: rr-frame [-imv] [-b NUMBER] [-F FILE | -f PROGRAM] [-n COUNT]\n"
    "                [-p SEQ] [-s BYTES] [-t TAB] [-w MS] [-z LEVEL]\n"
    "                [FILE ...]\n"
    "Turn event lines into the records of an S2 stream.\n"
    "  -b NUMBER   number of the first batch (1)\n"
    "  -F FILE     run the jq program in FILE over each event\n"
    "  -f PROGRAM  run this jq program over each event\n"
    "  -i          the input is a recording: leave out what steers a stream\n"
    "  -m          the input is for many streams: events only in batches\n"
    "  -n COUNT    events at which a batch is cut (1000)\n"
    "  -p SEQ      position in the stream of the first record (0)\n"
    "  -s BYTES    bytes at which a batch is cut (262144)\n"
    "  -t TAB      the browser tab, in hex (0)\n"
    "  -v          say on which events a program failed, and why\n"
    "  -w MS       an event waits no longer for a batch to fill up (1000)\n"
    "  -z LEVEL    of zstd, 1 to 19, or none (3)\n";

/* Let go all that is left. */
static void
finish(struct framer *f)
{
	if ((framer_end(f) == -1 && f->why[0] == '\0') ||
	    sink_flush(&f->sink) == -1) {
		if (f->sink.failed)
			log_die_of_output();
		log_die(EXIT_OTHER, "cannot go on: %s", strerror(errno));
	}
	if (f->why[0] != '\0')
		log_die(EXIT_INPUT, "%s", f->why);
}

int
main(int argc, char *argv[])
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct framer_options o = {
		.first = 1, .size = SIZE_DEFAULT, .count = COUNT_DEFAULT,
		.level = PACK_LEVEL_DEFAULT,
	};
	const char *program = NULL, *program_file = NULL;
	int wait_ms = WAIT_DEFAULT, c, fd;
	struct framer f;

	log_init("rr-frame", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "b:F:f:imn:p:s:t:vw:z:", longs,
	    NULL)) != -1) {
		switch (c) {
		case 'b':
			o.first = (uint32_t)option_number("-b", optarg, 1,
			    RECORD_BATCH_MAX);
			break;
		case 'F':
			program_file = optarg;
			break;
		case 'f':
			program = optarg;
			break;
		case 'i':
			o.import = true;
			break;
		case 'm':
			o.many = true;
			break;
		case 'n':
			o.count = (unsigned)option_number("-n", optarg, 1,
			    RECORD_COUNT_MAX);
			break;
		case 'p':
			o.seq = (uint64_t)option_number("-p", optarg, 0,
			    INT64_MAX);
			break;
		case 's':
			o.size = (size_t)option_number("-s", optarg, 1,
			    RECORD_TEXT_MAX);
			break;
		case 't':
			o.tab = option_tab(optarg);
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'w':
			wait_ms = (int)option_number("-w", optarg, 0, WAIT_MAX);
			break;
		case 'z':
			o.level = strcmp(optarg, "none") == 0 ? 0 :
			    (int)option_number("-z", optarg, 1, PACK_LEVEL_MAX);
			break;
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-frame " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (o.many && o.import)
		log_die(EXIT_USAGE, "-i and -m cannot be given together");
	if (isatty(STDOUT_FILENO))
		log_die(EXIT_USAGE, "records are binary and not for a "
		    "terminal: send them to a file or to s2-append");
	o.program = jqprog_option(program, program_file);

	if (framer_init(&f, &o, STDOUT_FILENO) == -1)
		log_die(EXIT_OTHER, "cannot start: %s", strerror(errno));
	if (optind == argc)
		input_frame(&f, "stdin", STDIN_FILENO, wait_ms);
	for (; optind < argc; optind++) {
		fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
		if (fd == -1) {
			const int saved = errno;

			finish(&f);
			log_die(EXIT_MISSING, "cannot open '%s': %s",
			    argv[optind], strerror(saved));
		}
		input_frame(&f, argv[optind], fd, wait_ms);
		close(fd);
	}
	finish(&f);
	framer_release(&f);
	jqprog_free(o.program);
	log_exit_flushed(EXIT_OK);
}
