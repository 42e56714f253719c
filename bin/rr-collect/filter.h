/*
 * A key's jq program over the events of a batch, before anything of them is
 * stored.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdint.h>

#include "body.h"
#include "jqprog.h"

/*
 * Run it over each line of a body that was judged: an event for which it has
 * no result is left out, one that it changes is replaced, and one on which it
 * fails, or that it makes too long for the body's limit, is left out and counted
 * in *failed.  0, or -1 if there is no memory.
 */
int filter_body(struct body *, struct jqprog *, uint32_t *failed);

#endif
