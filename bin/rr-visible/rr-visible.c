/*
 * rr-visible: text of a recording for whoever looks at it, see rr-visible.1.
 * What makes it visible is the sink, as for every program that writes to a
 * terminal by one.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"
#include "options.h"
#include "sink.h"

#define READ_BYTES	65536

static const char usage_text[] =
    "usage: rr-visible\n"
    "Copy text; on a terminal, write out what moves the cursor or hides.\n";

static void
copy(void)
{
	static struct sink sink = SINK_INIT(STDOUT_FILENO);
	static char bytes[READ_BYTES];
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			log_die(EXIT_OTHER, "cannot read standard input: %s",
			    strerror(errno));
		if (sink_add(&sink, bytes, (size_t)n) == -1 ||
		    sink_flush(&sink) == -1)
			log_die_of_output();
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
	int c;

	log_init("rr-visible", LOG_LEVEL_WARN);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(usage_text, stdout);
			log_exit_flushed(EXIT_OK);
		case 'V':
			puts("rr-visible " RR_VERSION);
			log_exit_flushed(EXIT_OK);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (argc != optind)
		option_wrong("it takes no arguments");
	copy();
	log_exit_flushed(EXIT_OK);
}
