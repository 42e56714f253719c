/*
 * For the unit tests: CHECK tells of what does not hold, and the program goes
 * on; check_status() is its exit status.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static int check_failed;

#define CHECK(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: %s: not so\n", __FILE__,	\
		    __LINE__, #condition);				\
		check_failed = 1;					\
	}								\
} while (0)

static inline int
check_status(void)
{
	return check_failed;
}

#endif
