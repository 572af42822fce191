#!/bin/sh
# The compiler wrapper of `cargo xtask fuzz`: compiles the crates of this workspace, and no others, with the counters
# that libFuzzer steers by. These are stable options of rustc; neither a nightly compiler nor a sanitizer is needed.
case " $* " in
*" --crate-name build_script_"* | *" --crate-type proc-macro "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
