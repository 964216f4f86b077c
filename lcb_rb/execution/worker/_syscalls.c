/* What is done about system calls in C: running a prepared list of them without touching the interpreter's memory, and
   answering those that the filter of level `no-namespaces` traps. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define WORDS 7 /* number and six arguments */

/* run(calls: bytes) -> (index, errno) of the first call that fails, (-1, 0) when none does */
static PyObject *run(PyObject *self, PyObject *packed)
{
    const uint64_t *call;
    Py_ssize_t count;
    (void)self;
    if (!PyBytes_Check(packed) || PyBytes_GET_SIZE(packed) % (WORDS * sizeof(uint64_t))) {
        PyErr_SetString(PyExc_ValueError, "expected bytes of seven words a call");
        return NULL;
    }
    call = (const uint64_t *)PyBytes_AS_STRING(packed);
    count = PyBytes_GET_SIZE(packed) / (Py_ssize_t)(WORDS * sizeof(uint64_t));
    for (Py_ssize_t index = 0; index < count; index++, call += WORDS)
        if (syscall((long)call[0], call[1], call[2], call[3], call[4], call[5], call[6]) < 0)
            return Py_BuildValue("ni", index, errno);
    return Py_BuildValue("ni", (Py_ssize_t)-1, 0);
}

#if defined(__x86_64__)
#define ARGUMENT(context, index) \
    ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10}[index]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#else
#define ARGUMENT(context, index) ((context)->uc_mcontext.regs[index])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#endif

/* Status of what `path` names below `directory`, by opening it: 0 or -errno. */
static long status_by_open(int directory, const char *path, void *status, int flags)
{
    int follow = flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
    long descriptor, failed;
    if ((flags & AT_EMPTY_PATH) && path[0] == 0)
        return syscall(SYS_fstat, directory, status) < 0 ? -errno : 0;
    descriptor = syscall(SYS_openat, directory, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | follow, 0);
    if (descriptor < 0)
        return -errno;
    failed = status && syscall(SYS_fstat, descriptor, status) < 0 ? -errno : 0;
    syscall(SYS_close, descriptor);
    return failed;
}

/* Whether an open file may be written: 0 or -EPERM. Modes and times of such files may be set, to no effect. */
static long writable(int descriptor)
{
    long flags = syscall(SYS_fcntl, descriptor, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY ? 0 : -EPERM;
}

static long writable_by_open(int directory, const char *path)
{
    long descriptor = syscall(SYS_openat, directory, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0);
    if (descriptor < 0)
        return -errno;
    syscall(SYS_close, descriptor);
    return 0;
}

static void answer(int number, siginfo_t *info, void *context_)
{
    ucontext_t *context = context_;
    int saved = errno;
    int directory = (int)ARGUMENT(context, 0);
    const char *path = (const char *)ARGUMENT(context, 1);
    (void)number;
    if (info->si_syscall == SYS_newfstatat)
        RESULT(context) = status_by_open(directory, path, (void *)ARGUMENT(context, 2), (int)ARGUMENT(context, 3));
    else if (info->si_syscall == SYS_faccessat)
        RESULT(context) = status_by_open(directory, path, NULL, 0);
    else if (info->si_syscall == SYS_fchmod || (info->si_syscall == SYS_utimensat && !path))
        RESULT(context) = writable(directory);
    else if (info->si_syscall == SYS_fchmodat || info->si_syscall == SYS_utimensat)
        RESULT(context) = writable_by_open(directory, path);
#ifdef SYS_stat
    else if (info->si_syscall == SYS_chmod)
        RESULT(context) = writable_by_open(AT_FDCWD, (const char *)ARGUMENT(context, 0));
    else if (info->si_syscall == SYS_stat || info->si_syscall == SYS_lstat)
        RESULT(context) = status_by_open(AT_FDCWD, (const char *)ARGUMENT(context, 0), (void *)path,
                                         info->si_syscall == SYS_lstat ? AT_SYMLINK_NOFOLLOW : 0);
    else if (info->si_syscall == SYS_access)
        RESULT(context) = status_by_open(AT_FDCWD, (const char *)ARGUMENT(context, 0), NULL, 0);
#endif
    else
        RESULT(context) = -EPERM;
    errno = saved;
}

/* emulate_lookup(): from now on trapped lookups are answered, in children too */
static PyObject *emulate_lookup(PyObject *self, PyObject *nothing)
{
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    (void)self;
    (void)nothing;
    if (sigaction(SIGSYS, &action, NULL) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"run", run, METH_O, "Runs packed system calls; returns index and errno of the first that fails, or (-1, 0)."},
    {"emulate_lookup", emulate_lookup, METH_NOARGS, "Answers looking up paths by opening them."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_syscalls", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__syscalls(void)
{
    return PyModule_Create(&module);
}
