#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"

#define LOG_LINE_MAX	4096	/* a longer line is cut */

static const char *progname = "rrpipe";
static enum log_level threshold = LOG_LEVEL_WARN;

void
log_init(const char *name, enum log_level most)
{
	progname = name;
	threshold = most;
}

const char *
log_progname(void)
{
	return progname;
}

void
log_set_level(enum log_level most)
{
	threshold = most;
}

static void
say(enum log_level level, const char *fmt, va_list ap)
{
	static int journal = -1;
	char line[LOG_LINE_MAX];
	int saved = errno;
	size_t len, i;
	int n = 0, m;

	if (level > threshold)
		return;
	if (journal == -1)
		journal = getenv("JOURNAL_STREAM") != NULL;
	if (journal)
		n = snprintf(line, sizeof line, "<%d>", level);
	n += snprintf(line + n, sizeof line - n, "%s: ", progname);
	m = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
	len = m < 0 ? (size_t)n : (size_t)n + m;
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	/* One write, so that lines of several programs do not mix. */
	if (write(STDERR_FILENO, line, len) == -1) {
		/* nobody to tell */
	}
	errno = saved;
}

#define SAY(level) do {							\
	va_list ap;							\
	va_start(ap, fmt);						\
	say((level), fmt, ap);						\
	va_end(ap);							\
} while (0)

void
log_err(const char *fmt, ...)
{
	SAY(LOG_LEVEL_ERR);
}

void
log_warn(const char *fmt, ...)
{
	SAY(LOG_LEVEL_WARN);
}

void
log_notice(const char *fmt, ...)
{
	SAY(LOG_LEVEL_NOTICE);
}

void
log_info(const char *fmt, ...)
{
	SAY(LOG_LEVEL_INFO);
}

void
log_debug(const char *fmt, ...)
{
	SAY(LOG_LEVEL_DEBUG);
}

void
log_die(int status, const char *fmt, ...)
{
	SAY(LOG_LEVEL_ERR);
	exit(status);
}

void
log_exit_flushed(int status)
{
	if (fflush(stdout) == EOF || fclose(stdout) == EOF) {
		if (errno != EPIPE)
			log_err("cannot write to standard output: %s",
			    strerror(errno));
		if (status == EXIT_OK)
			status = EXIT_OTHER;
	}
	exit(status);
}
