/* The two enumerators: snapshots of objects, walked by any number of clones. */
#include "client/com.h"

struct snapshot {
        atomic_uint n_references;
        IUnknown **items;
        size_t n;
};

void com_release_all(IUnknown **items, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void) items[i]->lpVtbl->Release(items[i]);
        free(items);
}

static void snapshot_unref(struct snapshot *s) {
        if (atomic_fetch_sub(&s->n_references, 1) != 1)
                return;
        com_release_all(s->items, s->n);
        free(s);
}

struct walk {
        const void *vtbl; /* of the interface: the object starts with its pointer */
        atomic_uint n_references;
        pthread_mutex_t lock;
        struct snapshot *snapshot;
        size_t position;
};

/* Takes over @snapshot's reference, whatever happens. */
static HRESULT walk_new(const void *vtbl, struct snapshot *snapshot, size_t position, void **ret) {
        struct walk *walk = malloc(sizeof(*walk));

        if (!walk) {
                snapshot_unref(snapshot);
                return E_OUTOFMEMORY;
        }
        *walk = (struct walk){ .vtbl = vtbl,
                               .n_references = 1,
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .snapshot = snapshot,
                               .position = position };
        *ret = walk;
        return S_OK;
}

static HRESULT first_walk_new(const void *vtbl, IUnknown **items, size_t n, void **ret) {
        struct snapshot *snapshot = malloc(sizeof(*snapshot));

        if (!snapshot) {
                com_release_all(items, n);
                return E_OUTOFMEMORY;
        }
        *snapshot = (struct snapshot){ .n_references = 1, .items = items, .n = n };
        return walk_new(vtbl, snapshot, 0, ret);
}

static ULONG walk_add_ref(void *object) {
        struct walk *walk = object;

        return atomic_fetch_add(&walk->n_references, 1) + 1;
}

static ULONG walk_release(struct walk *walk) {
        ULONG left = atomic_fetch_sub(&walk->n_references, 1) - 1;

        if (left == 0) {
                snapshot_unref(walk->snapshot);
                (void) pthread_mutex_destroy(&walk->lock);
                free(walk);
        }
        return left;
}

/* Moves on by up to @celt. Return: by how many; *ret_first: from where. */
static size_t walk_advance(struct walk *walk, ULONG celt, size_t *ret_first) {
        size_t n;

        pthread_mutex_lock(&walk->lock);
        *ret_first = walk->position;
        n = MIN((size_t) celt, walk->snapshot->n - walk->position);
        walk->position += n;
        pthread_mutex_unlock(&walk->lock);
        return n;
}

static HRESULT walk_next(struct walk *walk, ULONG celt, void **rgelt, ULONG *pceltFetched) {
        size_t first, n;

        if (!rgelt || (!pceltFetched && celt != 1))
                return E_INVALIDARG;
        n = walk_advance(walk, celt, &first);
        for (size_t i = 0; i < n; i++) {
                IUnknown *item = walk->snapshot->items[first + i];

                (void) item->lpVtbl->AddRef(item);
                rgelt[i] = item;
        }
        if (pceltFetched)
                *pceltFetched = (ULONG) n;
        return n == celt ? S_OK : S_FALSE;
}

static HRESULT walk_skip(struct walk *walk, ULONG celt) {
        size_t first;

        return walk_advance(walk, celt, &first) == celt ? S_OK : S_FALSE;
}

static HRESULT walk_reset(struct walk *walk) {
        pthread_mutex_lock(&walk->lock);
        walk->position = 0;
        pthread_mutex_unlock(&walk->lock);
        return S_OK;
}

static HRESULT walk_clone(struct walk *walk, void **ret) {
        size_t position;

        if (!ret)
                return E_INVALIDARG;
        *ret = NULL;
        (void) walk_advance(walk, 0, &position);
        atomic_fetch_add(&walk->snapshot->n_references, 1);
        return walk_new(walk->vtbl, walk->snapshot, position, ret);
}

static HRESULT walk_get_count(struct walk *walk, ULONG *puCount) {
        if (!puCount)
                return E_INVALIDARG;
        *puCount = com_ulong(walk->snapshot->n);
        return S_OK;
}

#define DEFINE_COUNT(name, interface)                                                  \
        static HRESULT name##_com_GetCount(interface *This, ULONG *puCount) {          \
                return walk_get_count((struct walk *) (void *) This, puCount);         \
        }

/* The interfaces differ in the type of their elements, and in that two of them can count. */
#define DEFINE_ENUMERATOR(name, interface, element, ...)                                                       \
        static HRESULT name##_com_QueryInterface(interface *This, REFIID riid, void **ppvObject) {             \
                static const struct com_interface table[] = { { &IID_##interface, 0 } };                       \
                                                                                                               \
                return com_query(This, table, ELEMENTSOF(table), riid, ppvObject, walk_add_ref);               \
        }                                                                                                      \
        static ULONG name##_com_AddRef(interface *This) {                                                      \
                return walk_add_ref(This);                                                                     \
        }                                                                                                      \
        static ULONG name##_com_Release(interface *This) {                                                     \
                return walk_release((struct walk *) (void *) This);                                            \
        }                                                                                                      \
        static HRESULT name##_com_Next(interface *This, ULONG celt, element **rgelt, ULONG *pceltFetched) {    \
                return walk_next((struct walk *) (void *) This, celt, (void **) (void *) rgelt, pceltFetched); \
        }                                                                                                      \
        static HRESULT name##_com_Skip(interface *This, ULONG celt) {                                          \
                return walk_skip((struct walk *) (void *) This, celt);                                         \
        }                                                                                                      \
        static HRESULT name##_com_Reset(interface *This) {                                                     \
                return walk_reset((struct walk *) (void *) This);                                              \
        }                                                                                                      \
        static HRESULT name##_com_Clone(interface *This, interface **ppenum) {                                 \
                return walk_clone((struct walk *) (void *) This, (void **) (void *) ppenum);                   \
        }                                                                                                      \
        static const interface##Vtbl name##_vtbl = {                                                           \
                name##_com_QueryInterface, name##_com_AddRef, name##_com_Release, name##_com_Next,             \
                name##_com_Skip,           name##_com_Reset,  name##_com_Clone,   __VA_ARGS__                  \
        };                                                                                                     \
        HRESULT com_##name##_new(IUnknown **items, size_t n, interface **ret) {                                \
                *ret = NULL;                                                                                   \
                return first_walk_new(&name##_vtbl, items, n, (void **) (void *) ret);                         \
        }

DEFINE_COUNT(enum_jobs, IEnumBackgroundCopyJobs)
DEFINE_ENUMERATOR(enum_jobs, IEnumBackgroundCopyJobs, IBackgroundCopyJob, enum_jobs_com_GetCount)
DEFINE_COUNT(enum_files, IEnumBackgroundCopyFiles)
DEFINE_ENUMERATOR(enum_files, IEnumBackgroundCopyFiles, IBackgroundCopyFile, enum_files_com_GetCount)
DEFINE_ENUMERATOR(enum_unknown, IEnumUnknown, IUnknown)
