cd /tmp/w/conform/build-asan; nice ninja meson-test-prereq > /dev/null 2>&1
for t in command_line request reply configuration; do nice env DOSVC_FUZZ_SECONDS=60 ../tests/fuzz/libfuzzer.sh tests/fuzz/fuzz_${t}_libfuzzer 60 tests/fuzz/found/$t ../tests/fuzz/corpus/$t > lf-$t.log 2>&1; echo $t $? >> lf.done; done
