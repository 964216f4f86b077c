/* Runs a prepared list of system calls without touching the interpreter's memory: the quick way of `calls.run`. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdint.h>
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

static PyMethodDef methods[] = {
    {"run", run, METH_O, "Runs packed system calls; returns index and errno of the first that fails, or (-1, 0)."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_syscalls", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__syscalls(void)
{
    return PyModule_Create(&module);
}
