/*
 * One stream: what has arrived is cut into batches, which are appended one
 * behind the other in one append session, several in flight.
 *
 * Nothing is lost and nothing is appended twice, whatever breaks.  When a
 * session ends without saying what became of its last batches, these are
 * doubtful.  Then: ask for the tail T; read the records from the first place
 * where a doubtful batch can be up to T, and compare; what is found there is
 * acknowledged.  What is not found is sent again on condition that it becomes
 * record T, T + count, ..., so that a late one of the dead connection that
 * lands after we looked makes the condition fail (412), and we look again.
 * Others may append to the stream at the same time: their records stand
 * between our batches, never inside one.
 *
 * With -s, or a match field in the input, the place of every batch is given,
 * and is compared record by record: what is already there by an earlier run
 * of the same command counts as appended.
 */
#ifndef ONE_H
#define ONE_H

#include <sys/queue.h>

#include "appender.h"
#include "s2-append.h"

struct batch {
	struct run run;
	uint64_t first;		/* number of its first record in the input */
	size_t fence_len;
	char fence[S2_FENCE_MAX];
	bool has_fence;
	bool placed;		/* must become record 'place' */
	uint64_t place;
	size_t mark;		/* bytes, records and metered bytes ... */
	size_t mark_records;	/* ... up to the last end of a unit in it */
	size_t mark_metered;
	bool sent;		/* in this session */
	bool doubtful;		/* sent in one before, which broke */
	bool compared;		/* and was not found below 'guard', ... */
	uint64_t guard;		/* ... where it is to go now */
	TAILQ_ENTRY(batch) entry;
};
TAILQ_HEAD(batches, batch);

/* A token: the unit of the records since the one before. */
struct unit {
	uint64_t first;		/* number of its first record in the input */
	uint64_t end;		/* number behind its last one */
	uint64_t seq;		/* of the first record, once acknowledged */
	size_t len;
	char token[RECORD_TOKEN_MAX];
	TAILQ_ENTRY(unit) entry;
};
TAILQ_HEAD(units, unit);

enum phase {
	START,		/* nothing has arrived yet */
	CREATE,
	LOOK,		/* for the tail */
	COMPARE,	/* reading back */
	READY,		/* for a session */
	OPEN,		/* the session */
	PAUSE,		/* before the next try */
	OVER,
};

struct one {
	const struct options *opt;
	struct s2_call *call;	/* for all but the session */
	struct appender session;
	enum phase phase;
	enum phase next;	/* after PAUSE */
	int64_t due;		/* end of PAUSE */
	unsigned failed;	/* tries since something went well */
	int64_t progress;	/* when something was last acknowledged */
	int status;		/* to exit with */
	char what[64 + S2_BASIN_MAX + S2_STREAM_MAX];
	char path[S2_PATH_MAX];	/* of the records */
	struct buf create;	/* the body of the request */
	bool create_wanted;
	/* The input. */
	struct batch *current;	/* not yet closed, or NULL */
	struct batches batches;	/* closed, not acknowledged */
	unsigned in_flight;	/* of them, sent */
	size_t bytes;		/* metered, in all of these */
	uint64_t taken;		/* records taken */
	uint64_t closed;	/* of these, in closed batches */
	uint64_t acked;		/* records acknowledged */
	uint64_t unit_first;	/* number of the open unit's first record */
	uint64_t unit_seq;	/* that one's place, once acknowledged */
	bool tokens;		/* the input has some: units are kept whole */
	struct units units;
	unsigned nunits;
	size_t fence_len;	/* in force for what is taken now */
	char fence[S2_FENCE_MAX];
	bool has_fence;
	bool placed;
	uint64_t place;
	bool ended;
	/* The stream. */
	bool looked;		/* its tail was seen */
	uint64_t from;		/* no doubtful record stands before this */
	uint64_t tail;		/* as last seen */
	uint64_t time;
	uint64_t at;		/* the place to be compared next */
	size_t same;		/* records before it that are the batch's */
	struct s2_error last;	/* why the last try failed */
	bool unexplained;	/* S2 did not say why the session ended */
	int check;		/* ms until appender_check() */
	bool is_final;		/* 'final' says why it goes on no more */
	struct s2_error final;
};

extern struct one one;

/* ---- one_input.c ---- */

/* Take a field of the input.  0, or -1 with *why. */
int one_take_field(const struct pb_field *f, size_t size, const char **why);

/* Set the body of the request that creates the stream.  0, or -1. */
int one_set_create(const void *config, size_t n);

/* Close what has arrived, unless enough is on its way already ... */
void batch_close_current(void);

/* ... or all of it, at the end. */
void batch_close_all(void);

/* With -s tail: the first records go there, the others behind them. */
void batch_place_all(uint64_t place);

/* The first n records of the first batch are durable from seq on ... */
void batch_acknowledge(uint64_t seq, size_t n, uint64_t time);

/* ... so forget it, or these of it. */
void batch_drop_first(void);
void batch_drop_records(struct batch *b, size_t n);

/* Acknowledge the units all of whose records are. */
void units_acknowledge(void);

#endif
