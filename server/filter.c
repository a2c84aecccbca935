/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

#define SOCK_TYPE_MASK 0xf /* the rest are flags, see socket(2) */

/* What strace(1) has seen workers do, and its forms on other machines; what is
 * allowed with certain arguments only is further down. */
static const int calls[] = {
	/* wait */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	/* connections */
	SCMP_SYS(accept4),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* any descriptor */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(splice),
	SCMP_SYS(pipe2),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), /* what fstat(3) is */
	SCMP_SYS(fstatat64),
	SCMP_SYS(statx),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	/* memory */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	/* time, chance, locks */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(nanosleep), /* who reads a row that is being written */
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	/* the process itself */
	SCMP_SYS(getpid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(gettid),
	SCMP_SYS(getrusage),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

#define CALLS_N (sizeof(calls) / sizeof(calls[0]))

/* A call that is allowed if that is so of an argument, and of a second one. */
struct form {
	int call;
	unsigned n;
	struct scmp_arg_cmp args[2];
};

#define ARG(number, value)                                                     \
	{                                                                      \
		.arg = (number), .op = SCMP_CMP_EQ, .datum_a = (value)         \
	}
/* Of these bits it has just those. */
#define BITS(number, mask, value)                                              \
	{                                                                      \
		.arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask),  \
		.datum_b = (value)                                             \
	}

static const struct form forms[] = {
	/* No memory becomes code. */
	{ SCMP_SYS(mmap), 1, { BITS(2, PROT_EXEC, 0) } },
	{ SCMP_SYS(mmap2), 1, { BITS(2, PROT_EXEC, 0) } },
	{ SCMP_SYS(mprotect), 1, { BITS(2, PROT_EXEC, 0) } },
	/* Nothing is sent but where a socket leads already: MSG_FASTOPEN makes
	 * a connection, and a Unix socket of datagrams takes addresses. */
	{ SCMP_SYS(sendto), 2, { BITS(3, MSG_FASTOPEN, 0), ARG(4, 0) } },
	{ SCMP_SYS(sendmsg), 1, { BITS(2, MSG_FASTOPEN, 0) } },
	/* To another worker: see bridge.h. */
	{ SCMP_SYS(socketpair), 2,
	    { ARG(0, AF_UNIX), BITS(1, SOCK_TYPE_MASK, SOCK_STREAM) } },
	/* Nobody is signalled: F_SETOWN and O_ASYNC would do it. */
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_GETFD) } },
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_SETFD) } },
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_GETFL) } },
	{ SCMP_SYS(fcntl), 2, { ARG(1, F_SETFL), BITS(2, O_ASYNC, 0) } },
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_DUPFD_CLOEXEC) } },
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_SETPIPE_SZ) } },
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_GETPIPE_SZ) } },
	{ SCMP_SYS(fcntl), 1, { ARG(1, F_GET_SEALS) } },
	/* How much is queued. */
	{ SCMP_SYS(ioctl), 1, { ARG(1, SIOCOUTQ) } },
	{ SCMP_SYS(ioctl), 1, { ARG(1, FIONREAD) } },
	/* How many descriptors there may be: read, and only its own. */
	{ SCMP_SYS(prlimit64), 2, { ARG(0, 0), ARG(2, 0) } },
};

#define FORMS_N (sizeof(forms) / sizeof(forms[0]))

static int
add_forms(scmp_filter_ctx ctx)
{
	/* abort(3) */
	const struct scmp_arg_cmp to_self = ARG(0, (scmp_datum_t)getpid());
	int error = 0;

	for (size_t i = 0; error == 0 && i < FORMS_N; i++) {
		const struct form *f = &forms[i];

		error = seccomp_rule_add_array(
		    ctx, SCMP_ACT_ALLOW, f->call, f->n, f->args);
		if (error == 0 && f->call == SCMP_SYS(fcntl))
			error = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
			    SCMP_SYS(fcntl64), f->n, f->args);
	}
	return error != 0 ? error
			  : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
				SCMP_SYS(tgkill), 1, &to_self);
}

/* A call that is not on the list. It was not made, and the handler runs where
 * it would have been: so it may log, which no other handler may. */
static void
trapped(int sig, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(
	    SCMP_ARCH_NATIVE, info->si_syscall);

	(void)context;
	log_error("a system call that the sandbox forbids: %s (%d)",
	    name == NULL ? "?" : name, info->si_syscall);
	signal(sig, SIG_DFL);
	raise(sig);
}

static int
set_trap(void)
{
	struct sigaction action = { .sa_sigaction = trapped,
		.sa_flags = SA_SIGINFO };

	sigset_t set;

	/* Who started the server may have blocked it. */
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (sigprocmask(SIG_UNBLOCK, &set, NULL) == -1)
		return -1;
	return sigaction(SIGSYS, &action, NULL);
}

int
filter_load(bool names)
{
	scmp_filter_ctx ctx =
	    seccomp_init(names ? SCMP_ACT_TRAP : SCMP_ACT_KILL_PROCESS);
	int error = 0;

	if (ctx == NULL) {
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; error == 0 && i < CALLS_N; i++)
		error = seccomp_rule_add_array(
		    ctx, SCMP_ACT_ALLOW, calls[i], 0, NULL);
	if (error == 0)
		error = add_forms(ctx);
	if (error == 0)
		error = seccomp_load(ctx);
	seccomp_release(ctx);
	if (error != 0) {
		errno = error < 0 ? -error : EINVAL;
		return -1;
	}
	return names ? set_trap() : 0;
}
