/*
 * What a program counts, told in Prometheus' text format.
 *
 * A table is an array of struct metric that lives as long as the program;
 * those of one name stand together and differ in their labels.  To count is to
 * add to 'value'.  All of it runs on the program's one thread: there are no
 * locks.
 *
 *	static struct metric metrics[] = {
 *	    [GAPS_LOST] = { "rrpipe_collect_gaps_total", "Gaps told of",
 *		METRIC_COUNTER, "cause=\"lost\"" },
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define METRICS_TEXT_MAX	(256u << 10)	/* bytes of all figures */
#define METRICS_BUCKETS		13	/* of a histogram, beside +Inf */

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
};

struct metric {
	const char *name;
	const char *help;	/* needs no escapes; of the first of a name */
	enum metric_type type;
	const char *labels;	/* name="value",...; NULL: none */
	uint64_t value;
};

/* Times, by buckets of 1 ms to 30 s. */
struct histogram {
	const char *name;	/* ends in _seconds */
	const char *help;
	uint64_t counts[METRICS_BUCKETS + 1];	/* of each bucket alone */
	uint64_t sum;		/* ms */
};

/* Count a time. */
void histogram_add(struct histogram *, uint64_t ms);

/*
 * Append the text of n metrics, each 'stride' bytes behind the one before: they
 * may be members of larger structs.  0, or -1 as buf_reserve().
 */
int metrics_write(struct buf *, const struct metric *, size_t n,
    size_t stride);

/* The same of a histogram. */
int histogram_write(struct buf *, const struct histogram *);

/*
 * Serves GET /metrics on a socket of its own, within the program's loop: as
 * http.h says, wait for the descriptor or the time, then run.
 */
struct metrics_server;

#define METRICS_LISTEN_MAX	4	/* places to listen at */

/* write() appends the text for each request.  NULL with errno. */
struct metrics_server *metrics_new(int (*write)(void *arg, struct buf *),
    void *arg);

/*
 * Listen at spec (listen.h; borrowed) too, which must be of this machine only.
 * 0, or -1 with *why and errno (0: spec is wrong).
 */
int metrics_listen(struct metrics_server *, const char *spec,
    const char **why);
int metrics_fd(const struct metrics_server *);
int metrics_timeout(const struct metrics_server *);
void metrics_run(struct metrics_server *);

/* NULL is fine. */
void metrics_free(struct metrics_server *);

#endif
