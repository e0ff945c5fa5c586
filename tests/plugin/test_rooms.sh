#!/bin/sh
# test_rooms.sh SOURCE_DIR: who may include what. core <- encoders <- encoder.c <- c_api <- bench.
set -u
cd "$1" || exit 1
bad=0
# forbid PATTERN WHY FILES...: no #include in the files may match the pattern
forbid() {
    pattern=$1 why=$2
    shift 2
    hits=$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$pattern" "$@" /dev/null)
    [ -z "$hits" ] && return
    echo "$why:"
    echo "$hits"
    bad=1
}
all_of() { find "$@" -name '*.[ch]' -o -name '*.cpp' | sort; }

forbid 'faiss' 'plugin/ knows no FAISS' $(all_of plugin)
forbid 'lbh_faiss' 'plugin/ knows no FAISS' $(all_of plugin)
forbid '(encoders/|method\.h|encoder_file|model_file)' 'core/ stands alone' $(all_of plugin/core)
if [ -d c_api ]; then
    forbid '(method\.h|encoders/|encoder_file|model_file|core/[^ef])' \
        'c_api/ sees lbh.h, core/error.h and core/file.h only' $(all_of c_api)
    forbid '(lbh_faiss\.h)?faiss/' 'lbh_faiss.h includes no FAISS header' c_api/lbh_faiss.h
    found=$(find c_api plugin bench -name '*.cpp' ! -name 'faiss_gap*.cpp')
    [ -n "$found" ] && echo "C++ outside faiss_gap*.cpp: $found" && bad=1
fi
if [ -d bench ]; then
    forbid 'faiss/' 'bench/ includes no FAISS header' $(all_of bench)
    forbid '(method\.h|encoders/|encoder_file|model_file|core/[^f])' \
        'bench/ sees lbh.h, lbh_faiss.h and core/file.h only' $(all_of bench)
fi
exit $bad
