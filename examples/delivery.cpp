/*
 * delivery.cpp: downloads a file with <deliveryoptimization.h>: files are added through IDeliveryOptimizationJob, with the name
 * of their content and, if it is known, their size. Says where the bytes came from.
 *
 *      c++ delivery.cpp -o delivery $(pkg-config --cflags --libs dosvc)
 *      ./delivery http://example.org/a /tmp/a [SIZE]
 */
#include <bits.h>
#include <deliveryoptimization.h>

#include <atomic>
#include <clocale>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

/* Releases what it points to. */
template <typename T> class Pointer {
public:
        Pointer() = default;
        explicit Pointer(T *owned) : object(owned) {}
        Pointer(const Pointer &) = delete;
        Pointer &operator=(const Pointer &) = delete;
        ~Pointer() {
                if (object)
                        object->Release();
        }
        T *operator->() const { return object; }
        T **operator&() { return &object; }
        operator T *() const { return object; }

private:
        T *object = nullptr;
};

/* Lives as long as somebody has a reference: a call may be under way when the job has let go of it already. */
class Callback final : public IBackgroundCopyCallback {
public:
        STDMETHODIMP QueryInterface(REFIID riid, void **object) override {
                if (riid != __uuidof(IUnknown) && riid != __uuidof(IBackgroundCopyCallback)) {
                        *object = nullptr;
                        return E_NOINTERFACE;
                }
                AddRef();
                *object = static_cast<IBackgroundCopyCallback *>(this);
                return S_OK;
        }
        STDMETHODIMP_(ULONG) AddRef() override { return ++references; }
        STDMETHODIMP_(ULONG) Release() override {
                ULONG left = --references;

                if (left == 0)
                        delete this;
                return left;
        }

        STDMETHODIMP JobTransferred(IBackgroundCopyJob *) override { return notify(); }
        STDMETHODIMP JobError(IBackgroundCopyJob *, IBackgroundCopyError *) override { return notify(); }
        STDMETHODIMP JobModification(IBackgroundCopyJob *, DWORD) override { return S_OK; }

        /* Not for ever: a program that has no memory left hears no callback. It looks again by itself, and sees that. */
        void wait() {
                std::unique_lock<std::mutex> lock(mutex);

                condition.wait_for(lock, std::chrono::seconds(2), [this] { return happened; });
                happened = false;
        }

private:
        ~Callback() = default;

        HRESULT notify() {
                std::lock_guard<std::mutex> lock(mutex);

                happened = true;
                condition.notify_all();
                return S_OK;
        }

        std::atomic<ULONG> references{ 1 };
        std::mutex mutex;
        std::condition_variable condition;
        bool happened = false;
};

static std::wstring widen(const char *s) {
        std::wstring wide(std::mbstowcs(nullptr, s, 0) + 1, L'\0');

        wide.resize(std::mbstowcs(&wide[0], s, wide.size()));
        return wide;
}

static int failed(const char *what, HRESULT hr) {
        std::fprintf(stderr, "delivery: %s: 0x%08X\n", what, static_cast<unsigned>(hr));
        return 1;
}

static HRESULT add_file(IBackgroundCopyJob *job, const char *url, const char *path, UINT64 size) {
        Pointer<IDeliveryOptimizationJob> delivery;
        HRESULT hr = job->QueryInterface(IID_PPV_ARGS(&delivery));

        /* Its content is nowhere published, so that its URL is as good a name as any. */
        return FAILED(hr) ? hr : delivery->AddFileWithRanges(widen(url).c_str(), widen(url).c_str(), widen(path).c_str(), 0, nullptr, size);
}

/* Where the bytes of the first file came from. */
static HRESULT print_stats(IBackgroundCopyJob *job) {
        Pointer<IEnumBackgroundCopyFiles> files;
        Pointer<IBackgroundCopyFile> file;
        Pointer<IDeliveryOptimizationFile> delivery;
        DOSwarmStats stats;
        HRESULT hr = job->EnumFiles(&files);

        if (SUCCEEDED(hr))
                hr = files->Next(1, &file, nullptr);
        if (SUCCEEDED(hr))
                hr = file->QueryInterface(IID_PPV_ARGS(&delivery));
        if (SUCCEEDED(hr))
                hr = delivery->GetStats(&stats);
        if (FAILED(hr))
                return hr;
        std::printf("%llu bytes, %llu of them from %ls\n", static_cast<unsigned long long>(stats.totalBytesDownloaded),
                    static_cast<unsigned long long>(stats.bytesFromHttp), stats.sourceURL);
        CoTaskMemFree(stats.fileId);
        CoTaskMemFree(stats.sourceURL);
        return S_OK;
}

static HRESULT error_of(IBackgroundCopyJob *job) {
        Pointer<IBackgroundCopyError> error;
        BG_ERROR_CONTEXT context;
        HRESULT code = E_FAIL, hr = job->GetError(&error);

        return SUCCEEDED(hr) && SUCCEEDED(error->GetError(&context, &code)) ? code : hr;
}

static int finish(IBackgroundCopyJob *job, Callback *callback) {
        BG_JOB_STATE state;
        HRESULT hr;

        while (SUCCEEDED(hr = job->GetState(&state)) && state != BG_JOB_STATE_TRANSFERRED && state != BG_JOB_STATE_ERROR)
                callback->wait();
        if (FAILED(hr))
                return failed("GetState", hr);
        if (state == BG_JOB_STATE_ERROR) {
                hr = error_of(job);
                job->Cancel();
                return failed("the file cannot be fetched", hr);
        }
        hr = print_stats(job);
        if (SUCCEEDED(hr))
                hr = job->Complete();
        return FAILED(hr) ? failed("Complete", hr) : 0;
}

static int run(const char *url, const char *path, UINT64 size) {
        Pointer<IBackgroundCopyManager> manager;
        Pointer<IBackgroundCopyJob> job;
        Pointer<Callback> callback(new Callback);
        GUID id;
        int code;
        HRESULT hr = CoCreateInstance(CLSID_DeliveryOptimization, nullptr, CLSCTX_LOCAL_SERVER, IID_PPV_ARGS(&manager));

        if (SUCCEEDED(hr))
                hr = manager->CreateJob(L"an example", BG_JOB_TYPE_DOWNLOAD, &id, &job);
        if (FAILED(hr))
                return failed("no job", hr);
        hr = add_file(job, url, path, size);
        if (SUCCEEDED(hr))
                hr = job->SetPriority(BG_JOB_PRIORITY_FOREGROUND);
        if (SUCCEEDED(hr))
                hr = job->SetNotifyInterface(callback);
        if (SUCCEEDED(hr))
                hr = job->Resume();
        if (FAILED(hr)) {
                job->Cancel();
                code = failed("the job cannot be made", hr);
        } else
                code = finish(job, callback);
        job->SetNotifyInterface(nullptr);
        return code;
}

int main(int argc, char *argv[]) {
        int code;

        if (argc != 3 && argc != 4) {
                std::fputs("usage: delivery URL FILE [SIZE]\n", stderr);
                return 2;
        }
        std::setlocale(LC_ALL, "");
        HRESULT hr = CoInitializeEx(nullptr, COINIT_MULTITHREADED);
        if (FAILED(hr))
                return failed("CoInitializeEx", hr);
        code = run(argv[1], argv[2], argc == 4 ? std::strtoull(argv[3], nullptr, 10) : DO_UNKNOWN_FILE_SIZE);
        CoUninitialize();
        return code;
}
