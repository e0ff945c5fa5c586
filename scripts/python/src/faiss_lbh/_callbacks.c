/* _callbacks.c: what C calls while a long call runs: the handlers of signals, and Python functions. In C,
 * since a Python function that is called from C may be hit by a signal before its first line, and then
 * the exception is lost. Every `ctx` is a list: the function that is told of progress, or None; the function
 * that reads rows or filters ids, or None; and then what these have raised, for the Python code to raise
 * when the call has ended. Once something was raised, the call is to end.
 *
 * Only functions of Python's stable ABI are used, declared here, so that one library serves all versions
 * and is built without Python's headers. */
#include "lbh_faiss.h"

#define EXPORT __attribute__((visibility("default")))

typedef struct _object PyObject;
typedef intptr_t Py_ssize_t;
extern int PyGILState_Ensure(void); /* an enum of two values */
extern void PyGILState_Release(int state);
extern int PyErr_CheckSignals(void);
extern void PyErr_Fetch(PyObject **type, PyObject **value, PyObject **traceback);
extern void PyErr_NormalizeException(PyObject **type, PyObject **value, PyObject **traceback);
extern void PyErr_Clear(void);
extern int PyException_SetTraceback(PyObject *exception, PyObject *traceback);
extern Py_ssize_t PyList_Size(PyObject *list);
extern PyObject *PyList_GetItem(PyObject *list, Py_ssize_t i); /* borrowed */
extern int PyList_Append(PyObject *list, PyObject *item);
extern PyObject *PyObject_CallFunction(PyObject *callable, const char *format, ...);
extern int PyObject_IsTrue(PyObject *object);
extern void Py_DecRef(PyObject *object);
extern PyObject _Py_NoneStruct;

enum { PROGRESS, FUNCTION, RAISED };

static int has_raised(PyObject *list)
{
    return PyList_Size(list) > RAISED;
}

static void keep_exception(PyObject *list)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value && traceback)
        PyException_SetTraceback(value, traceback);
    if (!value || PyList_Append(list, value))
        PyErr_Clear();
    Py_DecRef(type);
    Py_DecRef(value);
    Py_DecRef(traceback);
}

/* A result as a truth value; -1 with the exception kept. */
static int truth(PyObject *list, PyObject *result)
{
    int true_ = result ? PyObject_IsTrue(result) : -1;
    if (true_ < 0)
        keep_exception(list);
    Py_DecRef(result);
    return true_;
}

/* lbh_progress_fn: the signals, then function(what, step, steps, loss), whose true result stops. */
EXPORT int faiss_lbh_progress(void *ctx, const char *what, int64_t step, int64_t steps, double loss)
{
    PyObject *list = ctx;
    int state = PyGILState_Ensure(), stop = has_raised(list);
    if (!stop && (stop = PyErr_CheckSignals()) != 0)
        keep_exception(list);
    PyObject *function = PyList_GetItem(list, PROGRESS);
    if (!stop && function != &_Py_NoneStruct)
        stop = truth(list, PyObject_CallFunction(function, "sLLd", what, (long long)step,
                                                 (long long)steps, loss));
    PyGILState_Release(state);
    return stop;
}

/* lbh_rows.read: function(count, address of ids, address of floats). */
EXPORT int faiss_lbh_read(const lbh_rows *self, int64_t count, const int64_t *ids, float *x)
{
    PyObject *list = (PyObject *)(uintptr_t)self->ctx;
    int state = PyGILState_Ensure();
    PyObject *result = PyObject_CallFunction(PyList_GetItem(list, FUNCTION), "LLL", (long long)count,
                                             (long long)(intptr_t)ids, (long long)(intptr_t)x);
    int rc = result ? LBH_OK : LBH_EINVAL;
    if (!result)
        keep_exception(list);
    Py_DecRef(result);
    PyGILState_Release(state);
    return rc;
}

/* lbh_filter_fn: function(id). Nothing passes once it has raised an exception. */
EXPORT int faiss_lbh_filter(const void *ctx, int64_t id)
{
    PyObject *list = (PyObject *)(uintptr_t)ctx;
    int state = PyGILState_Ensure();
    int passes = !has_raised(list) &&
                 truth(list, PyObject_CallFunction(PyList_GetItem(list, FUNCTION), "L",
                                                   (long long)id)) > 0;
    PyGILState_Release(state);
    return passes;
}

/* The same without Python: ids first .. first + n - 1 for which pass[id - first] is not 0. */
typedef struct mask {
    int64_t first, n;
    const uint8_t *pass;
} mask;

EXPORT int faiss_lbh_mask(const void *ctx, int64_t id)
{
    const mask *m = ctx;
    return id >= m->first && id - m->first < m->n && m->pass[id - m->first];
}

/* The same for a list of ids, rising. */
typedef struct members {
    int64_t n;
    const int64_t *id;
} members;

EXPORT int faiss_lbh_member(const void *ctx, int64_t id)
{
    const members *m = ctx;
    int64_t low = 0, high = m->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (m->id[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->n && m->id[low] == id;
}
