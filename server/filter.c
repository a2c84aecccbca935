/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE

#include "server/filter.h"

#include <errno.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

/* What strace(1) has seen workers do, and its forms on other machines. */
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
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
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
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), /* what fstat(3) is */
	SCMP_SYS(fstatat64),
	SCMP_SYS(statx),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	/* memory; mmap and mprotect are below */
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

/* Adds what is allowed with certain arguments only: no memory becomes code, no
 * limit is raised, nobody else is signalled. */
static int
add_conditional(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_code =
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp local = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
	const struct scmp_arg_cmp of_self = SCMP_A0(SCMP_CMP_EQ, 0, 0);
	const struct scmp_arg_cmp only_read = SCMP_A2(SCMP_CMP_EQ, 0, 0);
	const struct scmp_arg_cmp unsent = SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ, 0);
	const struct scmp_arg_cmp unread = SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0);
	const struct scmp_arg_cmp to_self =
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	int error = 0;

	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);
	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap2), 1, &no_code);
	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code);
	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &unsent);
	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &unread);
	/* To another worker: see bridge.h. */
	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, &local);
	/* How many descriptors there may be. */
	error |=
	    seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
		(const struct scmp_arg_cmp[]){ of_self, only_read });
	/* abort(3) */
	error |= seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &to_self);
	return error;
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
		error = add_conditional(ctx);
	if (error == 0)
		error = seccomp_load(ctx);
	seccomp_release(ctx);
	if (error != 0) {
		errno = error < 0 ? -error : EINVAL;
		return -1;
	}
	return names ? set_trap() : 0;
}
