#include "sessions.h"

#include <sys/random.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
sessions_init(struct sessions *t, uint32_t max)
{
	memset(t, 0, sizeof(*t));
	TAILQ_INIT(&t->used);
	t->max = max;
	for (t->nslots = 64; t->nslots < max; t->nslots *= 2)
		;
	t->slots = calloc(t->nslots, sizeof(*t->slots));
	if (t->slots == NULL)
		return -1;
	if (getrandom(&t->seed, sizeof(t->seed), 0) != sizeof(t->seed)) {
		free(t->slots);
		return -1;
	}
	return 0;
}

void
sessions_release(struct sessions *t)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&t->used)) != NULL)
		sessions_drop(t, s);
	free(t->slots);
}

static struct session **
slot_of(struct sessions *t, const char *id)
{
	uint64_t h = t->seed;

	for (int i = 0; i < SESSION_ID_LEN; i++)
		h = (h ^ (unsigned char)id[i]) * 0x100000001b3u;
	h ^= h >> 32;
	return &t->slots[h & (t->nslots - 1)];
}

static bool
session_is_idle(const struct session *s)
{
	const struct tab *tab;

	if (s->units > 0 || s->probing || !TAILQ_EMPTY(&s->waiting))
		return false;
	for (tab = s->tabs; tab != NULL; tab = tab->next)
		if (!TAILQ_EMPTY(&tab->waiting))
			return false;
	return true;
}

void
sessions_drop(struct sessions *t, struct session *s)
{
	struct session **at = slot_of(t, s->id);
	struct tab *tab;

	while (*at != s)
		at = &(*at)->chain;
	*at = s->chain;
	TAILQ_REMOVE(&t->used, s, used);
	t->n--;
	while ((tab = s->tabs) != NULL) {
		s->tabs = tab->next;
		free(tab);
	}
	free(s->marks);
	free(s);
}

/* Make room; under load, look only at a few of the oldest. */
static int
make_room(struct sessions *t)
{
	struct session *s = TAILQ_LAST(&t->used, session_list);

	for (int tries = 0; s != NULL && tries < 64; tries++) {
		if (session_is_idle(s)) {
			sessions_drop(t, s);
			return 0;
		}
		s = TAILQ_PREV(s, session_list, used);
	}
	return -1;
}

struct session *
sessions_get(struct sessions *t, const char *id, uint64_t now)
{
	struct session **slot = slot_of(t, id), *s;

	for (s = *slot; s != NULL; s = s->chain)
		if (memcmp(s->id, id, SESSION_ID_LEN) == 0)
			break;
	if (s != NULL) {
		TAILQ_REMOVE(&t->used, s, used);
	} else {
		if (t->n >= t->max && make_room(t) == -1)
			return NULL;
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return NULL;
		memcpy(s->id, id, SESSION_ID_LEN);
		TAILQ_INIT(&s->waiting);
		s->chain = *slot;
		*slot = s;
		t->n++;
	}
	s->when = now;
	TAILQ_INSERT_HEAD(&t->used, s, used);
	return s;
}

void
sessions_expire(struct sessions *t, uint64_t before)
{
	struct session *s = TAILQ_LAST(&t->used, session_list), *prev;

	for (; s != NULL && s->when < before; s = prev) {
		prev = TAILQ_PREV(s, session_list, used);
		if (session_is_idle(s))
			sessions_drop(t, s);
	}
}

/* Forget the tab that was made first of those that nothing waits for. */
static bool
forget_tab(struct session *s)
{
	struct tab **at, **found = NULL, *tab;

	for (at = &s->tabs; *at != NULL; at = &(*at)->next)
		if ((*at)->storing == NULL && TAILQ_EMPTY(&(*at)->waiting))
			found = at;
	if (found == NULL)
		return false;
	tab = *found;
	*found = tab->next;
	free(tab);
	s->ntabs--;
	s->complete = false;
	return true;
}

struct tab *
session_tab(struct session *s, uint32_t number)
{
	const bool complete = s->complete;	/* before one is forgotten */
	struct tab *tab;

	for (tab = s->tabs; tab != NULL; tab = tab->next)
		if (tab->number == number)
			return tab;
	if (s->ntabs >= TABS_MAX && !forget_tab(s))
		return NULL;
	if ((tab = calloc(1, sizeof(*tab))) == NULL)
		return NULL;
	tab->number = number;
	tab->snap = SNAP_NONE;
	tab->known = complete;
	tab->snapshot = complete ? SNAPSHOT_NEVER : SNAPSHOT_UNKNOWN;
	TAILQ_INIT(&tab->waiting);
	tab->next = s->tabs;
	s->tabs = tab;
	s->ntabs++;
	return tab;
}
