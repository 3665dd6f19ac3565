#!/bin/sh
# The scores of logs are the same bits with every compiler: the programs of test/reference/ (scores
# of lines in batch and streaming, verdicts on sessions) built with gcc and clang, -O0 and -O3, must
# print the same.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
flags='-std=gnu17 -D_FILE_OFFSET_BITS=64 -Isrc'
build() { # COMPILER LEVEL: both programs, one compiler at a time
    mkdir "$folder/$1$2"
    # shellcheck disable=SC2086
    for source in "$PWD"/src/logs/*.c "$PWD"/src/base/*.c; do echo "$source"; done |
        (cd "$folder/$1$2" && xargs -n 8 "$1" $2 -std=gnu17 -D_FILE_OFFSET_BITS=64 "-I$OLDPWD/src" -c)
    for program in scores sessions; do
        # shellcheck disable=SC2086
        "$1" $2 $flags -o "$folder/$1$2/$program" "test/reference/print_$program.c" "$folder/$1$2"/*.o -lnettle
        "$folder/$1$2/$program" >"$folder/$1$2.$program"
    done
}
for compiler in gcc clang; do
    for level in -O0 -O3; do build "$compiler" "$level"; done
done
for program in scores sessions; do
    for other in gcc-O3 clang-O0 clang-O3; do
        cmp "$folder/gcc-O0.$program" "$folder/$other.$program" ||
            { echo "$program differ between gcc -O0 and $other"; exit 1; }
    done
    echo "$program: $(wc -l <"$folder/gcc-O0.$program") lines, the same with gcc and clang, -O0 and -O3"
done
