#include "filter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "lines.h"
#include "log.h"

void
filter_lines(struct sink *out, int (*take)(void *, const char *, size_t,
    const char **), void *arg)
{
	struct lines in = LINES_INIT(STDIN_FILENO, LINE_MAX_BYTES);
	const char *line, *why = NULL;
	size_t len;
	int got;

	while (!in.eof) {
		if (lines_fill(&in) == -1)
			log_die(EXIT_OTHER, "cannot read standard input: %s",
			    strerror(errno));
		while ((got = lines_next(&in, &line, &len)) == 1)
			if (take(arg, line, len, &why) == -1)
				log_die(EXIT_INPUT, "line %llu: %s",
				    (unsigned long long)in.number, why);
		if (got == -1)
			log_die(EXIT_INPUT, "line %llu: it is longer than 64 "
			    "MiB", (unsigned long long)in.number);
		if (sink_flush(out) == -1)
			log_die_of_output();
	}
	buf_release(&in.buf);
}
