/* The same in C++ and in the other family: objects that give themselves back, a callback class, memory that may throw. See
 * torture_job.c. usage: torture_job_cpp URL DIRECTORY TAG */
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#include <deliveryoptimization.h>

#include "failing_memory.h"

void *operator new(std::size_t n) {
        void *p = failing_memory_next() ? nullptr : std::malloc(n ? n : 1);

        if (!p)
                throw std::bad_alloc();
        return p;
}
void operator delete(void *p) noexcept {
        std::free(p);
}
void operator delete(void *p, std::size_t) noexcept {
        std::free(p);
}

namespace {

struct failure {
        HRESULT hr;
};

void check(HRESULT hr, const char *what) {
        if (SUCCEEDED(hr))
                return;
        (void) std::fprintf(stderr, "%s: 0x%08X\n", what, static_cast<unsigned>(hr));
        throw failure{ hr };
}

template <class T> class com {
public:
        com() = default;
        com(const com &) = delete;
        com &operator=(const com &) = delete;
        ~com() {
                if (p)
                        (void) p->Release();
        }
        T *operator->() const { return p; }
        T **out() { return &p; }
        void **out_void() { return reinterpret_cast<void **>(&p); }

private:
        T *p = nullptr;
};

class listener final : public IBackgroundCopyCallback {
public:
        HRESULT STDMETHODCALLTYPE QueryInterface(REFIID iid, void **ret) override {
                *ret = nullptr;
                if (iid != IID_IUnknown && iid != IID_IBackgroundCopyCallback)
                        return E_NOINTERFACE;
                *ret = this;
                return S_OK;
        }
        ULONG STDMETHODCALLTYPE AddRef() override { return 2; } /* lives as long as the program */
        ULONG STDMETHODCALLTYPE Release() override { return 1; }
        HRESULT STDMETHODCALLTYPE JobTransferred(IBackgroundCopyJob *) override { return tell(); }
        HRESULT STDMETHODCALLTYPE JobError(IBackgroundCopyJob *, IBackgroundCopyError *) override { return tell(); }
        HRESULT STDMETHODCALLTYPE JobModification(IBackgroundCopyJob *, DWORD) override { return S_OK; }

        void wait() {
                std::unique_lock<std::mutex> guard(lock);

                (void) told.wait_for(guard, std::chrono::seconds(2), [this] { return n_told > 0; });
        }

private:
        HRESULT tell() {
                std::lock_guard<std::mutex> guard(lock);

                n_told++;
                told.notify_one();
                return S_OK;
        }
        std::mutex lock;
        std::condition_variable told;
        int n_told = 0;
};
listener callback;

std::wstring widen(const std::string &s) {
        return std::wstring(s.begin(), s.end());
}

void wait_until_transferred(com<IBackgroundCopyJob> &job) {
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        BG_JOB_STATE state;

        callback.wait();
        do {
                check(job->GetState(&state), "GetState");
                if (state == BG_JOB_STATE_TRANSFERRED)
                        return;
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
        } while (std::chrono::steady_clock::now() < end);
        check(E_PENDING, "the transfer");
}

void read_stats(com<IBackgroundCopyJob> &job) {
        com<IEnumBackgroundCopyFiles> files;
        ULONG n = 0;

        check(job->EnumFiles(files.out()), "EnumFiles");
        check(files->GetCount(&n), "GetCount");
        for (ULONG i = 0; i < n; i++) {
                com<IBackgroundCopyFile> file;
                com<IDeliveryOptimizationFile> delivery;
                DOSwarmStats stats;

                check(files->Next(1, file.out(), nullptr), "Next");
                check(file->QueryInterface(IID_IDeliveryOptimizationFile, delivery.out_void()), "file");
                check(delivery->GetStats(&stats), "GetStats");
                CoTaskMemFree(stats.fileId);
                CoTaskMemFree(stats.sourceURL);
        }
}

void run(char *argv[]) {
        com<IBackgroundCopyManager> manager;
        com<IBackgroundCopyJob> job;
        com<IDeliveryOptimizationJob> delivery;
        const std::wstring url = widen(argv[1]), path = widen(std::string(argv[2]) + "/" + argv[3] + "-cpp");
        wchar_t text[40];
        GUID id;

        check(CoCreateInstance(CLSID_DeliveryOptimization, nullptr, CLSCTX_LOCAL_SERVER, IID_IBackgroundCopyManager,
                               manager.out_void()),
              "CoCreateInstance");
        check(manager->CreateJob(L"torture", BG_JOB_TYPE_DOWNLOAD, &id, job.out()), "CreateJob");
        (void) StringFromGUID2(id, text, 40);
        (void) std::printf("job %.36ls\n", text + 1);
        check(job->SetPriority(BG_JOB_PRIORITY_FOREGROUND), "SetPriority");
        check(job->SetNotifyInterface(&callback), "SetNotifyInterface");
        check(job->QueryInterface(IID_IDeliveryOptimizationJob, delivery.out_void()), "QueryInterface");
        check(delivery->AddFileWithRanges(L"id", url.c_str(), path.c_str(), 0, nullptr, DO_UNKNOWN_FILE_SIZE), "AddFileWithRanges");
        check(job->Resume(), "Resume");
        wait_until_transferred(job);
        read_stats(job);
        check(job->Complete(), "Complete");
        (void) std::printf("completed\n");
}

} // namespace

int main(int argc, char *argv[]) {
        int code = 0;

        if (argc != 4)
                return 2;
        (void) std::setvbuf(stdout, nullptr, _IOLBF, 0);
        try {
                check(CoInitializeEx(nullptr, COINIT_MULTITHREADED), "CoInitializeEx");
                try {
                        run(argv);
                } catch (...) {
                        CoUninitialize();
                        throw;
                }
                CoUninitialize();
        } catch (const failure &) {
                code = 1;
        } catch (const std::bad_alloc &) {
                (void) std::fprintf(stderr, "no memory\n");
                code = 1;
        }
        return code;
}
