/*
 * The filter: lines on stdin to server-sent events on stdout.
 */
#ifndef FILTER_H
#define FILTER_H

/* Run until the end of stdin.  The exit status; what failed was said. */
int filter_run(void);

#endif
