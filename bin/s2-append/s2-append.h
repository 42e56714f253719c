/*
 * What the two modes of s2-append share: settings from the command line,
 * standard output, and what the main loop asks of a mode.
 */
#ifndef S2_APPEND_H
#define S2_APPEND_H

#include "buf.h"
#include "input.h"
#include "pb.h"
#include "s2.h"

/* Options, and what came of them. */
struct options {
	struct s2_uri uri;
	bool create;		/* -c */
	bool verbose;		/* -v */
	bool tell;		/* -S */
	const char *fence;	/* -t, or NULL */
	bool has_match;		/* -s */
	bool match_tail;	/* -s tail */
	uint64_t match;
	int64_t patience;	/* -T, ms */
	size_t window;		/* -w, bytes */
	unsigned conns;		/* -n */
};

/* Lines for standard output; written once a turn of the main loop. */
extern struct buf out;

#define OUT_MAX		(32u << 20)
#define OUT_ENOUGH	(256u << 10)	/* with so much, no input is read */

/* Add an ack, a nak.  extra is NULL or a JSON object. */
void out_ack(const char *token, size_t n, uint64_t seq, uint64_t count,
    uint64_t time);
void out_nak(const char *token, size_t n, const char *reason, int status,
    const char *extra);

/* The word and the exit status for an error that is final. */
const char *nak_reason(const struct s2_error *e);
int nak_exit(const struct s2_error *e);

/* Writes {"fence":"..."} or {"seq":N} for a 412, else nothing, to out. */
const char *nak_extra(const struct s2_error *e, char *text, size_t size);

/* A mode; all functions are called from the main loop. */
struct mode {
	/* Take a field. 0, or -1 with *why if it is wrong. */
	int (*field)(const struct pb_field *f, size_t size, const char **why);
	/* All that has been read is taken; 'end': and no more will come. */
	void (*drained)(bool end);
	/* Nobody reads what is told any more; NULL: that changes nothing. */
	void (*unread)(void);
	/* More input may be read. */
	bool (*hungry)(void);
	/* So much is under way that a turn is better made of more. */
	bool (*crowded)(void);
	/* ms until run() has something to do, or -1. */
	int (*timeout)(void);
	/* After the engine ran. */
	void (*run)(void);
	/* After drained(true): there is nothing left to do.  Sets the exit
	 * status.  May be true before that: it cannot go on. */
	bool (*finished)(int *status);
};

void one_init(const struct options *opt, struct s2 *s2);
void many_init(const struct options *opt, struct s2 *s2);
extern const struct mode one_mode, many_mode;

#endif
