#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"

#define LOG_LINE_MAX	4096	/* a longer line is cut */
#define LOG_FIELD_MAX	128	/* and so is a field */
#define JOURNAL		"/run/systemd/journal/socket"

static const char *progname = "rrpipe";
static enum log_level threshold = LOG_LEVEL_WARN;
static const char *all_about;	/* session, or NULL */

/* Each the wrong way round, so that its use fails as that of a closed one. */
static void
hold_standard_fds(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null",
		    fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == -1)
			_exit(EXIT_OTHER);
}

void
log_init(const char *name, enum log_level most)
{
	hold_standard_fds();
	progname = name;
	threshold = most;
	all_about = getenv("RR_LOG_SESSION");
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

/* JOURNAL_STREAM says which file is the journal: "device:inode". */
static bool
is_journal(void)
{
	static int journal = -1;
	const char *stream;
	char here[64];
	struct stat st;

	if (journal != -1)
		return journal;
	journal = (stream = getenv("JOURNAL_STREAM")) != NULL &&
	    fstat(STDERR_FILENO, &st) == 0 &&
	    snprintf(here, sizeof here, "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino) > 0 &&
	    strcmp(here, stream) == 0;
	return journal;
}

/* Format into line, of LOG_LINE_MAX bytes, behind n; how long it is then. */
static size_t
format(char *line, size_t n, const char *fmt, va_list ap)
{
	int m = vsnprintf(line + n, LOG_LINE_MAX - n - 1, fmt, ap);
	size_t len = m < 0 ? n : n + (size_t)m, i;

	if (len > LOG_LINE_MAX - 2)
		len = LOG_LINE_MAX - 2;
	/* No text of others moves the cursor: C0, DEL, and C1 as UTF-8. */
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f ||
		    ((unsigned char)line[i] < 0xa0 && i > 0 &&
		    (unsigned char)line[i] >= 0x80 &&
		    (unsigned char)line[i - 1] == 0xc2))
			line[i] = '?';
	return len;
}

/* Add a field to a datagram for the journal, if there is something in it. */
static void
add_field(struct iovec *v, size_t *n, char text[LOG_FIELD_MAX],
    const char *name, const char *value)
{
	char *p;
	int len;

	if (value == NULL)
		return;
	len = snprintf(text, LOG_FIELD_MAX - 1, "%s=%s", name, value);
	if (len > LOG_FIELD_MAX - 2)
		len = LOG_FIELD_MAX - 2;
	for (p = text; p < text + len; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	text[len] = '\n';
	v[*n].iov_base = text;
	v[(*n)++].iov_len = (size_t)len + 1;
}

/*
 * By the journal's own protocol: a datagram of lines NAME=value.  False if it
 * does not take it.
 */
static bool
say_native(enum log_level level, const char *session, const char *key,
    char *line, size_t len)
{
	static const struct sockaddr_un journal = { .sun_family = AF_UNIX,
	    .sun_path = JOURNAL };
	char fields[4][LOG_FIELD_MAX], priority[2] = { (char)('0' + level) };
	struct iovec v[6];
	struct msghdr m = { .msg_name = (void *)(uintptr_t)&journal,
	    .msg_namelen = sizeof journal, .msg_iov = v };
	size_t n = 0;
	ssize_t sent;
	int fd;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	add_field(v, &n, fields[0], "PRIORITY", priority);
	add_field(v, &n, fields[1], "SYSLOG_IDENTIFIER", progname);
	add_field(v, &n, fields[2], "RR_SESSION", session);
	add_field(v, &n, fields[3], "RR_KEY", key);
	v[n].iov_base = (void *)(uintptr_t)"MESSAGE=";
	v[n++].iov_len = strlen("MESSAGE=");
	line[len++] = '\n';
	v[n].iov_base = line;
	v[n++].iov_len = len;
	m.msg_iovlen = n;
	sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
	return sent != -1;
}

static void
say(enum log_level level, const char *session, const char *key,
    const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	int saved = errno;
	size_t len, start;

	if (level > threshold)
		return;
	/* Behind room for the priority. */
	start = (size_t)snprintf(line, sizeof line, "<%d>", level);
	len = start + (size_t)snprintf(line + start, sizeof line - start,
	    "%s: ", progname);
	len = format(line, len, fmt, ap);
	if (is_journal() && (session != NULL || key != NULL) &&
	    say_native(level, session, key, line + start, len - start)) {
		errno = saved;
		return;
	}
	if (is_journal())
		start = 0;
	line[len++] = '\n';
	/* One write, so that lines of several programs do not mix. */
	if (write(STDERR_FILENO, line + start, len - start) == -1) {
		/* nobody to tell */
	}
	errno = saved;
}

#define SAY(level, session, key) do {					\
	va_list ap;							\
	va_start(ap, fmt);						\
	say((level), (session), (key), fmt, ap);			\
	va_end(ap);							\
} while (0)

void
log_err(const char *fmt, ...)
{
	SAY(LOG_LEVEL_ERR, all_about, NULL);
}

void
log_warn(const char *fmt, ...)
{
	SAY(LOG_LEVEL_WARN, all_about, NULL);
}

void
log_notice(const char *fmt, ...)
{
	SAY(LOG_LEVEL_NOTICE, all_about, NULL);
}

void
log_info(const char *fmt, ...)
{
	SAY(LOG_LEVEL_INFO, all_about, NULL);
}

void
log_debug(const char *fmt, ...)
{
	SAY(LOG_LEVEL_DEBUG, all_about, NULL);
}

void
log_about(enum log_level level, const char *session, const char *key,
    const char *fmt, ...)
{
	SAY(level, session != NULL ? session : all_about, key);
}

void
log_die(int status, const char *fmt, ...)
{
	/* By stderr: the journal would look for us when we are gone. */
	SAY(LOG_LEVEL_ERR, NULL, NULL);
	exit(status);
}

static void
say_output_failed(void)
{
	if (errno != EPIPE)
		log_err("cannot write to standard output: %s",
		    strerror(errno));
}

void
log_die_of_output(void)
{
	say_output_failed();
	exit(EXIT_OTHER);
}

void
log_exit_flushed(int status)
{
	if (fflush(stdout) == EOF || fclose(stdout) == EOF) {
		say_output_failed();
		if (status == EXIT_OK)
			status = EXIT_OTHER;
	}
	exit(status);
}
