/*
 * Reading records: a unary read of some, and a read session of any number.
 *
 * Nothing here prints, sleeps or exits.
 */
#ifndef S2_READ_H
#define S2_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "record.h"
#include "s2.h"

/* S2 gives a sign at least each 15 s, so after this the connection is dead. */
#define S2_READ_SILENCE	20000	/* ms */

enum s2_from {
	S2_FROM_SEQ,		/* the record of this number */
	S2_FROM_TIME,		/* the first of this time (ms) or later */
	S2_FROM_TAIL,		/* so many records before the tail */
};

struct s2_range {
	enum s2_from from;
	uint64_t start;
	uint64_t count;		/* so many records at most; 0: any number */
	uint64_t bytes;		/* so many metered bytes at most; 0: any */
	uint64_t until;		/* only records before this time; 0: all */
};

/*
 * Make *req a unary read, whose answer is a ReadBatch: at most 1000 records
 * and 1 MiB metered, whatever the range says.  It has no records if the first
 * does not fit 'bytes'.  A range that starts at or beyond the tail fails with
 * error.unwritten.  'path' must last until the call is started.
 */
void s2_read_request(struct s2_request *req, char path[S2_PATH_MAX],
    const char *basin, const char *stream, const struct s2_range *range);

/*
 * Take the next record off a ReadBatch at *p of *n bytes.  1 with *r, 0 at its
 * end, -1 if it is malformed.
 */
int s2_batch_record(const unsigned char **p, size_t *n, struct record *r);

/* What a read session brought: a ReadBatch. */
struct s2_batch {
	const unsigned char *bytes;	/* as it came, less what is unwanted */
	size_t size;
	size_t records;		/* how many are in it; 0 in a heartbeat */
	uint64_t next;		/* the number behind the last record so far */
	uint64_t time;		/* S2's time of that record, 0 if none came */
	bool has_tail;		/* S2 told its tail: */
	uint64_t tail_seq;
	uint64_t tail_time;
};

enum s2_reader_end {
	S2_READER_TAIL = 1,	/* at the tail */
	S2_READER_END,		/* at the end of the range */
	S2_READER_ENOUGH,	/* batch() wanted no more */
	S2_READER_LEFT,		/* nobody reads 'watch' any more */
	S2_READER_FAILED,	/* see error; it can be run again */
};

/*
 * A read session.  It follows the stream, or ends at the tail it first hears
 * of.  Each s2_reader_run() goes on where the last one ended, so that no record
 * comes twice or is left out.
 *
 * Set up by zeroing it and setting the first group; s2_reader_release() after
 * that.
 */
struct s2_reader {
	const struct s2_conf *conf;	/* borrowed, like the strings */
	const char *basin;
	const char *stream;
	struct s2_range range;	/* its start and count move on */
	uint64_t end;		/* only records before this number; 0: all */
	bool follow;
	int watch;		/* end when nobody reads this pipe; or -1 */
	int64_t silence;	/* ms without a byte until it has failed */
	/*
	 * Takes what came; the batch is good during the call.  It may block,
	 * which stops the transfer.  0 to go on, anything else to end.
	 */
	int (*batch)(void *arg, const struct s2_batch *batch);
	void *arg;

	struct s2_error error;	/* of a session that failed */

	/* private */
	struct s2 *s2;
	struct s2_call *call;
	struct buf in;		/* less than a frame, between two chunks */
	uint64_t time;		/* of the last record */
	bool has_target;	/* not following: end at this tail */
	uint64_t target;
	int64_t heard;		/* when the last byte came */
	enum s2_reader_end end_cause;
	bool over;
	bool brought;		/* this session brought records */
	bool again;		/* make another one at once */
	char what[S2_TEXT_MAX];	/* for errors */
};

enum s2_reader_end s2_reader_run(struct s2_reader *r);
void s2_reader_release(struct s2_reader *r);

#endif
