#include "callback.h"

namespace {

class Callback final : public IBackgroundCopyCallback3 {
public:
        explicit Callback(callback_log *log) : log(log) {
                log->alive++;
        }

        STDMETHODIMP QueryInterface(REFIID riid, void **ppv) override {
                if (!ppv)
                        return E_POINTER;
                *ppv = nullptr;
                if (riid != __uuidof(IUnknown) && riid != __uuidof(IBackgroundCopyCallback) &&
                    riid != __uuidof(IBackgroundCopyCallback2) &&
                    riid != __uuidof(IBackgroundCopyCallback3))
                        return E_NOINTERFACE;
                *ppv = static_cast<IBackgroundCopyCallback3 *>(this);
                AddRef();
                return S_OK;
        }

        STDMETHODIMP_(ULONG) AddRef() override {
                return ++references;
        }

        STDMETHODIMP_(ULONG) Release() override {
                ULONG left = --references;
                if (left == 0)
                        delete this;
                return left;
        }

        STDMETHODIMP JobTransferred(IBackgroundCopyJob *job) override {
                log->job = job;
                log->transferred++;
                return S_OK;
        }

        STDMETHODIMP JobError(IBackgroundCopyJob *job, IBackgroundCopyError *) override {
                log->job = job;
                log->errors++;
                return S_FALSE;
        }

        STDMETHODIMP JobModification(IBackgroundCopyJob *job, DWORD) override {
                log->job = job;
                log->modifications++;
                return S_OK;
        }

        STDMETHODIMP FileTransferred(IBackgroundCopyJob *job, IBackgroundCopyFile *) override {
                log->job = job;
                log->files++;
                return S_OK;
        }

        STDMETHODIMP FileRangesTransferred(IBackgroundCopyJob *job, IBackgroundCopyFile *,
                                           DWORD count, const BG_FILE_RANGE ranges[]) override {
                log->job = job;
                log->ranges += count;
                for (DWORD i = 0; i < count; i++)
                        log->bytes += ranges[i].Length;
                return S_OK;
        }

private:
        ~Callback() {
                log->alive--;
        }

        callback_log *log;
        ULONG references = 1;
};

} // namespace

IUnknown *callback_new(callback_log *log) {
        return new Callback(log);
}

HRESULT callback_read_size(IBackgroundCopyFile *file, UINT64 *ret_bytes) {
        BG_FILE_PROGRESS progress = {};
        HRESULT hr = file->GetProgress(&progress);
        if (SUCCEEDED(hr))
                *ret_bytes = progress.BytesTotal;
        return hr;
}
