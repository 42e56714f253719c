/*
 * What a service tells its manager: sd_notify(3)'s protocol.
 *
 * Does nothing where NOTIFY_SOCKET is not set.  When a shell starts the
 * program as one stage of a pipeline the unit needs NotifyAccess=all, and
 * WATCHDOG_PID names the shell: it is not looked at.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

/*
 * Send one message: "READY=1", "STATUS=...", "STOPPING=1", "WATCHDOG=1",
 * several joined by newlines.  A failure is no concern of the program's.
 */
void notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * How often WATCHDOG=1 is to be sent, in ms (half of what the manager allows),
 * or 0 if it does not wait for it.
 */
uint64_t notify_watchdog(void);

#endif
