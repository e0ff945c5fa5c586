# common.sh: what the experiments share: options, files of results that are taken up again, and the
# measuring of one line. Sourced, at the top of the source tree, by scripts that say in variables
#
#   out        file of results           bits, seeds   lists with commas
#   variants   rows of `lbh compare`     sets          names of data sets
#   lbh        the program
#
# and in functions
#
#   option NAME [VALUE]   takes an option of the command line; fails if there is none of that name
#   summary               prints what is in `out`

say() { echo "${0##*/}: $*" >&2; }
die() {
    say "$@"
    exit 2
}

summary_only= failed=0

# read_options "NAMES OF THOSE WITH A VALUE" ARGUMENT ...: -o, --bits, --seeds, --summary and --help are
# known here, others are for option(); what is no option is a data set.
read_options() {
    local with_value=" -o --bits --seeds $1 "
    shift
    while [ $# -gt 0 ]; do
        case $with_value in
        *" $1 "*)
            [ $# -ge 2 ] || die "$1 wants a value"
            case $1 in
            -o) out=$2 ;;
            --bits) bits=$2 ;;
            --seeds) seeds=$2 ;;
            *) option "$1" "$2" ;;
            esac
            shift 2
            continue
            ;;
        esac
        case $1 in
        -h | --help)
            sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
            exit 0
            ;;
        --summary) summary_only=1 ;;
        -*) option "$1" || die "unknown option $1 (try --help)" ;;
        *) sets+=("$1") ;;
        esac
        shift
    done
    [[ $bits =~ ^[0-9]+(,[0-9]+)*$ && $seeds =~ ^[0-9]+(,[0-9]+)*$ ]] ||
        die "--bits and --seeds want numbers with commas between"
}

# The file DIRECTORY/NAME.* in a format of vectors or of labels; nothing if there is none.
find_file() {
    local extension
    for extension in fvecs bvecs ivecs fbin u8bin ibin npy; do
        if [ -e "$1/$2.$extension" ]; then
            echo "$1/$2.$extension"
            return
        fi
    done
}

need_file() {
    local file
    file=$(find_file "$1" "$2")
    [ -n "$file" ] || die "$1 has no $2.*"
    echo "$file"
}

# Prints the summary if that is all that was asked for; else looks for the program, and for what an
# interrupted run left: a line that was cut off while it was written (power, disk) is measured again.
begin() {
    if [ -n "$summary_only" ]; then
        [ -e "$out" ] || die "$out is not there"
        print_summary
        exit 0
    fi
    [ -x "$lbh" ] || die "$lbh is not there: run scripts/build.sh, or set LBH"
    mkdir -p "$(dirname "$out")"
    touch "$out"
    if [ -s "$out" ] && [ -n "$(tail -c 1 "$out")" ]; then
        say "the last line of $out is not whole and is dropped"
        head -n -1 "$out" >"$out.whole"
        mv "$out.whole" "$out"
    fi
}

print_summary() {
    if command -v python3 >/dev/null; then
        summary
    else
        say "no python3, no summary; the results are in $out"
    fi
}

# A name goes into JSON as it is.
check_name() {
    case $1 in *[\"\\]*) die "a name with a quote or a backslash: $1" ;; esac
}

# measure KEY TITLE OPTIONS OF lbh compare: one line, KEY (the beginning of a JSON object) and the
# result, measured and appended whole, or not at all; nothing if `out` has it.
measure() {
    local key=$1 title=$2 document rc=0
    shift 2
    if grep -qF -- "$key" "$out"; then return; fi
    say "$title"
    document=$("$lbh" compare "$@" --json) || rc=$?
    [ $rc -ne 130 ] || exit 130
    if [ $rc -ne 0 ]; then
        failed=$((failed + 1))
        return
    fi
    # Strings of JSON hold no raw newline or tab: all of these are layout.
    printf '%s"result":%s}\n' "$key" "$(tr -d '\n\t' <<<"$document")" >>"$out"
}

finish() {
    print_summary
    [ $failed -eq 0 ] || {
        say "$failed measurements failed"
        exit 1
    }
}
