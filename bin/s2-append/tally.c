#include "tally.h"

#include "log.h"
#include "many.h"

#define TELL_MS		1000

static const char *const calls[TALLY_CALLS] = { "append", "create", "tail",
    "read" };

/* Statuses; what is not among them counts as its class. */
static const struct {
	int status;
	const char *word;
} statuses[] = {
	{ 200, "200" }, { 401, "401" }, { 403, "403" }, { 404, "404" },
	{ 409, "409" }, { 412, "412" }, { 416, "416" }, { 429, "429" },
	{ 400, "4xx" }, { 500, "5xx" }, { 0, "none" },
};

#define STATUSES	(sizeof statuses / sizeof statuses[0])

struct figure {
	uint64_t n;
	uint64_t told;
};

static struct figure answers[TALLY_CALLS][STATUSES];
static struct figure retries, records, bytes, queued, queued_bytes;
static int64_t when;		/* it was last told */

static size_t
status_index(int status)
{
	size_t i;

	for (i = 0; i < STATUSES; i++)
		if (statuses[i].status == status)
			return i;
	return status_index(status >= 500 ? 500 : status >= 400 ? 400 : 0);
}

void
tally_call(enum tally_call call, const struct s2_error *e)
{
	answers[call][status_index(e == NULL ? 200 : e->status)].n++;
}

void
tally_retry(void)
{
	retries.n++;
}

void
tally_stored(uint64_t n, uint64_t metered)
{
	records.n += n;
	bytes.n += metered;
}

static bool
has_changed(const struct figure *f)
{
	return f->n != f->told;
}

static bool
anything_has_changed(void)
{
	size_t i, k;

	for (i = 0; i < TALLY_CALLS; i++)
		for (k = 0; k < STATUSES; k++)
			if (has_changed(&answers[i][k]))
				return true;
	return has_changed(&retries) || has_changed(&records) ||
	    has_changed(&bytes) || has_changed(&queued) ||
	    has_changed(&queued_bytes);
}

static void
tell(void)
{
	bool ok = true;
	size_t i, k;

	for (i = 0; i < TALLY_CALLS; i++)
		for (k = 0; k < STATUSES; k++) {
			if (!has_changed(&answers[i][k]))
				continue;
			answers[i][k].told = answers[i][k].n;
			ok &= buf_addf(&out, ":stat call=%s status=%s "
			    "calls=%llu\n", calls[i], statuses[k].word,
			    (unsigned long long)answers[i][k].n) == 0;
		}
	retries.told = retries.n;
	records.told = records.n;
	bytes.told = bytes.n;
	queued.told = queued.n;
	queued_bytes.told = queued_bytes.n;
	ok &= buf_addf(&out, ":stat retries=%llu records=%llu bytes=%llu "
	    "queued=%llu queued-bytes=%llu\n", (unsigned long long)retries.n,
	    (unsigned long long)records.n, (unsigned long long)bytes.n,
	    (unsigned long long)queued.n,
	    (unsigned long long)queued_bytes.n) == 0;
	if (!ok)
		log_die(EXIT_OTHER, "out of memory");
}

int
tally_tell(int64_t now, bool end)
{
	if (!many.opt->tell)
		return -1;
	queued.n = many.pieces;
	queued_bytes.n = many.bytes;
	if (!anything_has_changed())
		return -1;
	if (!end && now - when < TELL_MS)
		return (int)(TELL_MS - (now - when));
	when = now;
	tell();
	return -1;
}
