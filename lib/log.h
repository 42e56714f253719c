/*
 * What programs say on stderr: one line, the program's name first.
 *
 * Under systemd (JOURNAL_STREAM set) each line starts with its priority as
 * "<N>", which the journal takes off and keeps.  Control characters in the
 * text are written as '?', so that input can forge no line.
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
 * warnings).
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

/* log_err(), then exit(status). */
void log_die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/*
 * Close stdout and exit with status; if what was written did not get there,
 * say so and exit with EXIT_OTHER instead.  A reader that left (EPIPE) is no
 * error worth a line, but the status tells.
 */
void log_exit_flushed(int status) __attribute__((noreturn));

#endif
