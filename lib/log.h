/*
 * What programs say on stderr: one line, the program's name first.
 *
 * Where stderr is the journal (JOURNAL_STREAM says so) each line starts with
 * its priority as "<N>", which the journal takes off and keeps; and what
 * concerns a session or a project key goes there by its own protocol instead,
 * with the fields RR_SESSION and RR_KEY.  Control characters in the text are
 * written as '?', so that input can forge no line and no field.
 */
#ifndef LOG_H
#define LOG_H

/* What to print for each severity; numbers are syslog's. */
enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/*
 * Call first in main(): remembers the program's name and, from then on,
 * drops what is less severe than 'most' (LOG_LEVEL_WARN shows errors and
 * warnings).  Of descriptors 0 to 2, those that are closed are opened, so that
 * no file or connection gets their number, and reads and writes fail.  With RR_LOG_SESSION in the environment, all but the last words
 * of log_die() are about that session.
 */
void log_init(const char *progname, enum log_level most);

/* The name given to log_init(). */
const char *log_progname(void);

/* Raise or lower the threshold (for -v, -q). */
void log_set_level(enum log_level most);

/* One line.  errno is kept. */
void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The same about a session, a project key, or both; NULL for one that it is
 * not about.  The text should name them all the same: only the journal has
 * fields.
 */
void log_about(enum log_level level, const char *session, const char *key,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* log_err(), then exit(status). */
void log_die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/*
 * A write to stdout failed, as errno says: exit with EXIT_OTHER, with a line
 * unless it was that the reader left (EPIPE).
 */
void log_die_of_output(void) __attribute__((noreturn));

/*
 * Close stdout and exit with status; if what was written did not get there,
 * say so and exit with EXIT_OTHER instead.  A reader that left (EPIPE) is no
 * error worth a line, but the status tells.
 */
void log_exit_flushed(int status) __attribute__((noreturn));

#endif
