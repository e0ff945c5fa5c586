#!/usr/bin/env bash
# get_data.sh: fetches a public data set, verifies it and converts it to files that lbh reads.
#
#   scripts/get_data.sh NAME [DIRECTORY]      into data/NAME if no DIRECTORY is given
#   scripts/get_data.sh --layout [NAME]       any set that lbh's presets name: which files it has, where they
#                                             are published, what converts them; without NAME: the names
#
#   mnist fashion-mnist   base.bvecs query.bvecs base_labels.ivecs query_labels.ivecs
#   sift gist             base.fvecs query.fvecs learn.fvecs truth.ivecs (also called sift1m, gist1m)
#   word2vec              base.fvecs query.fvecs query_ids.ivecs words.txt (also text8-word2vec; trains
#                         word2vec with python3-gensim; its threads make every run a little
#                         different)
#   NAME-DIM-DISTANCE     an HDF5 set of ann-benchmarks, as glove-100-angular (needs python3-h5py):
#                         base.fvecs query.fvecs truth.ivecs; angular rows are scaled to length one
#
# Downloads go on where they stopped and are verified before they are used. A set for which no
# checksum is known here is trusted on first use: its SHA-256 is printed and kept in SHA256SUMS in
# the directory, and later downloads must match it. Files appear under their names only when whole.
# LBH_MIRROR=URL fetches the same file names from URL/ instead; the checksums stay.
set -euo pipefail

usage() { sed -n '2,/^set/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }
say() { echo "get_data.sh: $*" >&2; }
die() {
    say "$@"
    exit 1
}

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
layouts=$here/convert/layouts.txt

# The section of a set, found by any of its names; what follows DIM in a name stands for a number.
layout() { # name; prints nothing if there is none
    local line pattern mine=0
    case $1 in *[!a-z0-9-]*) return ;; esac
    while IFS= read -r line; do
        case $line in
        '#'*) ;;
        '['*)
            mine=0
            line=${line#[}
            for pattern in ${line%]}; do
                pattern=${pattern/NAME/[a-z][a-z0-9-]*}
                pattern=${pattern/DIM/[0-9]+}
                [[ $1 =~ ^$pattern$ ]] && mine=1
            done
            ;;
        *) [ $mine = 0 ] || printf '%s\n' "${line//"{}"/$1}" ;;
        esac
    done <"$layouts" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

names() { sed -n 's/^\[\(.*\)\]$/  \1/p' "$layouts"; }

unknown() { # name
    say "there is no data set '$1'; known are (several names a line are one set):"
    names >&2
    exit 2
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    usage >&2
    exit 2
fi
case $1 in
-h | --help)
    usage
    exit 0
    ;;
--layout)
    [ $# = 2 ] || {
        names
        exit 0
    }
    text=$(layout "$2")
    [ -n "$text" ] || unknown "$2"
    printf '%s\n' "$text"
    exit 0
    ;;
esac
name=$1
dir=${2:-data/$name}
# Debian's own Python has Debian's numpy, h5py and gensim.
python=$(command -v /usr/bin/python3 || command -v python3 || true)

need() { # Python module, Debian package
    [ -n "$python" ] || die "python3 is missing: apt install python3 $2"
    "$python" -c "import $1" 2>/dev/null || die "Python's $1 is missing: apt install $2"
}

# Compares a file with md5:..., sha256:..., or "first" for trust on first use.
verify() { # path, file name, checksum
    local kind=${3%%:*} want=${3#*:} got
    if [ "$kind" = first ]; then
        kind=sha256
        want=$(awk -v f="$2" '$2 == f {print $1}' SHA256SUMS 2>/dev/null || true)
    fi
    got=$("${kind}sum" <"$1" | cut -d' ' -f1)
    if [ -z "$want" ]; then
        say "no checksum of $2 is known; trusted on first use, its SHA-256 is $got"
        echo "$got  $2" >>SHA256SUMS
    elif [ "$got" != "$want" ]; then
        say "$2 has the ${kind} sum $got, it should have $want"
        return 1
    fi
}

# Fetches to FILE by way of FILE.part, which a later run goes on with.
fetch() { # URL, checksum
    local url=$1 sum=$2 file=${1##*/}
    [ -e "$file" ] && return
    [ -n "${LBH_MIRROR:-}" ] && url=${LBH_MIRROR%/}/$file
    say "fetching $url"
    if command -v curl >/dev/null; then
        curl -fL --retry 3 -C - -o "$file.part" "$url" ||
            die "could not fetch $url; run again to go on where it stopped"
    elif command -v wget >/dev/null; then
        wget -c -O "$file.part" "$url" ||
            die "could not fetch $url; run again to go on where it stopped"
    else
        die "curl is missing: apt install curl"
    fi
    if ! verify "$file.part" "$file" "$sum"; then
        rm -f "$file.part"
        die "$file was removed; run again to fetch it anew"
    fi
    mv "$file.part" "$file"
}

# For the Python snippets below: write(PATH, ARRAY), by the path's ending, whole or not at all.
writers='
import os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv.pop(1))
import numpy as np
from vector_out import write
'

get_mnist() { # base URL, then the checksums of train images, train labels, test images, labels
    need numpy python3-numpy
    fetch "$1/train-images-idx3-ubyte.gz" "sha256:$2"
    fetch "$1/train-labels-idx1-ubyte.gz" "sha256:$3"
    fetch "$1/t10k-images-idx3-ubyte.gz" "sha256:$4"
    fetch "$1/t10k-labels-idx1-ubyte.gz" "sha256:$5"
    "$python" "$here/convert.py" mnist . . --force >/dev/null
}

# The sums are the publisher's (MD5SUM beside the archives).
get_texmex() { # sift or gist, checksum
    fetch "ftp://ftp.irisa.fr/local/texmex/corpus/$1.tar.gz" "md5:$2"
    need numpy python3-numpy
    "$python" "$here/convert.py" texmex "$1.tar.gz" . --force >/dev/null
}

get_word2vec() {
    need numpy python3-numpy
    need gensim python3-gensim
    fetch http://mattmahoney.net/dc/text8.zip \
        sha256:a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232
    say "training word2vec (CBOW, 200 dimensions, window 8, 25 negatives, 5 passes): an hour or so"
    "$python" -c "$writers"'
import zipfile
from gensim.models.word2vec import Text8Corpus, Word2Vec
with zipfile.ZipFile("text8.zip") as z:
    z.extract("text8")
m = Word2Vec(Text8Corpus("text8"), vector_size=200, window=8, negative=25, min_count=5, sg=0,
             epochs=5, sample=1e-4, seed=1, workers=os.cpu_count())
os.remove("text8")
x = m.wv.vectors.astype(np.float32)
ids = np.sort(np.random.default_rng(1).choice(len(x), 10000, replace=False))
with open("words.txt.part", "w") as f:
    f.writelines(w + "\n" for w in m.wv.index_to_key)
os.replace("words.txt.part", "words.txt")
write("query_ids.ivecs", ids[:, None])
write("query.fvecs", x[ids])
write("base.fvecs", x)
' "$here/convert"
}

get_hdf5() {
    local sum=first set=$1
    case $set in
    sift-128-euclidean)
        sum=sha256:dd6f0a6ed6b7ebb8934680f861a33ed01ff33991eaee4fd60914d854a0ca5984 ;;
    glove-100-angular)
        sum=sha256:544af1d5e84e112cd4749571dcfd8ca109818a572f850af75a3a09e093a953c4 ;;
    deep-image-96-angular)
        sum=sha256:a0a44dfe80c58e63860862eeea2d34e62cff958dc3aec14fd65263d1d3c751f8 ;;
    esac
    need numpy python3-numpy
    need h5py python3-h5py
    fetch "http://ann-benchmarks.com/$set.hdf5" "$sum"
    "$python" -c "$writers"'
import h5py
class Rows:
    """rows of a set, read in slices; scaled to length one if the distance is an angle"""
    def __init__(self, x, angular):
        self.x, self.angular, self.shape = x, angular, x.shape
    def __len__(self):
        return len(self.x)
    def __getitem__(self, s):
        x = np.asarray(self.x[s], dtype=np.float32)
        if self.angular:
            x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
        return x
with h5py.File(sys.argv[1] + ".hdf5", "r") as f:
    distance, kind = f.attrs.get("distance", ""), f.attrs.get("type", "dense")
    if kind != "dense" or distance not in ("euclidean", "angular") or f["train"].ndim != 2:
        sys.exit(f"{sys.argv[1]}: a set of kind {kind}, distance {distance}; dense float sets "
                 "with euclidean or angular distance can be converted")
    write("query.fvecs", Rows(f["test"], distance == "angular"))
    write("truth.ivecs", f["neighbors"][:])
    write("base.fvecs", Rows(f["train"], distance == "angular"))
' "$here/convert" "$set"
}

text=$(layout "$name")
[ -n "$text" ] || unknown "$name"
case $name in
mnist | fashion-mnist | sift | sift1m | gist | gist1m | word2vec | text8-word2vec) ;;
glove | deep | deep-image | *-[0-9]*-euclidean | *-[0-9]*-angular) ;;
*)
    say "'$name' is not fetched by this program; to get it:"
    printf '%s\n' "$text" >&2
    exit 1
    ;;
esac
mkdir -p "$dir"
exec 9>"$dir/.lock"
! command -v flock >/dev/null || flock -n 9 || die "another get_data.sh is at work in $dir"
cd "$dir"
if [ -e .complete ]; then
    say "$dir is complete"
    exit 0
fi
case $name in
mnist)
    get_mnist https://storage.googleapis.com/cvdf-datasets/mnist \
        440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 \
        3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c \
        8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 \
        f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
    ;;
fashion-mnist)
    get_mnist http://fashion-mnist.s3-website.eu-central-1.amazonaws.com \
        3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84 \
        a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845 \
        346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073 \
        67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5
    ;;
sift | sift1m) get_texmex sift b23d1b3b2ee8469d819b61ca900ef0ed ;;
gist | gist1m) get_texmex gist 31185e0f00854f74d27e8ad8d52628a9 ;;
word2vec | text8-word2vec) get_word2vec ;;
glove) get_hdf5 glove-100-angular ;;
deep | deep-image) get_hdf5 deep-image-96-angular ;;
*) get_hdf5 "$name" ;;
esac
touch .complete
say "$dir: $(find . -name '*vecs' | sed 's,^\./,,' | sort | tr '\n' ' ')"
