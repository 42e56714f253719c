/*
 * What the collector and the process that runs a key's program say to each
 * other, in the byte order of the machine: a head, and 'len' bytes.
 */
#ifndef FILTER_CHILD_H
#define FILTER_CHILD_H

#include <stdint.h>

struct filter_head {
	uint32_t what;
	uint32_t len;
};

/*
 * To it: first the program ('what' is 0), then batches of lines; 'what' is how
 * long an event may become.
 *
 * From it: FILTER_END once the program is compiled; then of each event one
 * enum jqprog_result, with its new text or why it failed, and FILTER_END after
 * the last.  FILTER_GAVE_UP is the last word, at the event whose result is not
 * there; 'len' is the signal that it got.
 */
#define FILTER_END	100
#define FILTER_GAVE_UP	101

#endif
