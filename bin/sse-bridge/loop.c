#include <sys/epoll.h>

#include <errno.h>

#include "loop.h"

int
loop_init(struct loop *l)
{
	l->npending = 0;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll == -1 ? -1 : 0;
}

int
loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll, w->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
	    fd, &ev) == -1)
		return -1;
	w->fd = fd;
	return 0;
}

void
loop_unwatch(struct loop *l, struct watch *w)
{
	int i;

	if (w->fd == -1)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	for (i = 0; i < l->npending; i++)
		if (l->pending[i] == w)
			l->pending[i] = NULL;
}

int
loop_run(struct loop *l, int ms)
{
	struct epoll_event events[LOOP_EVENTS];
	struct watch *w;
	int n, i;

	n = epoll_wait(l->epoll, events, LOOP_EVENTS, ms);
	if (n == -1)
		return errno == EINTR ? 0 : -1;
	for (i = 0; i < n; i++)
		l->pending[i] = events[i].data.ptr;
	l->npending = n;
	for (i = 0; i < n; i++)
		if ((w = l->pending[i]) != NULL)
			w->ready(w->arg, events[i].events);
	l->npending = 0;
	return 0;
}

uint64_t
loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
