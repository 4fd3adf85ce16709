#!/bin/sh
# split make|show|export|import, and every way in which a split can be wrong.
. "$(dirname "$0")/tap.sh"

works "make" split make --op add --p 13 --train_fraction 0.5 --split_seed 1
prints "make shows it" '^ +1  add  13 +0.5 +1  philox +84 +85  [0-9a-f]{64} +0$'
works "make again" split make --p 13 --split-seed 1 --csv
same "the same split is stored once" "$(query 'SELECT count(*) FROM split')" 1
works "make with another generator" split make --p 13 --split_seed 1 --split_generator python
same "another split" "$(query 'SELECT count(*) FROM split')" 2
works "show lists all" split show --json
valid_json "show --json is JSON"
works "show of one" split show 2
prints "show of one has it" ' python '
works "show by the start of the hash" split show "$(query 'SELECT substr(sha256, 1, 8) FROM split WHERE id = 1')"
prints "found by the hash" ' philox '
refuses "show of none" 3 "." split show 77

works "export" split export 1
same "export: header and all pairs" "$(wc -l <out)" 170
same "export: a line" "$(sed -n 3p out | cut -d, -f1-3)" "0,1,1"
same "export: the hash is that of these bytes" "$(sha256sum <out | cut -d' ' -f1)" "$(query 'SELECT sha256 FROM split WHERE id = 1')"
works "export to a file" split export 1 -o split.csv
cmp -s out /dev/null && [ -s split.csv ]
ok "and nothing on stdout" $?
works "import" split import split.csv --op add --p 13 --csv
same "import finds the same split" "$(tail -1 out | cut -d, -f1)" 1
works "train on a split file" train mlp --p 13 --width 16 --steps 2 --split_file split.csv -q
same "which is the same split" "$(query 'SELECT split_id FROM run')" 1
refuses "export into nowhere" 1 "cannot write no/where.csv" split export 1 -o no/where.csv

wrong() { # NAME PATTERN SED-SCRIPT
    sed "$3" split.csv >wrong.csv
    refuses "$1" 2 "$2" split import wrong.csv --p 13
}
wrong "a wrong label" 'wrong.csv:3.*(label|z)' '3s/,1,1,/,1,2,/'
wrong "a pair twice" 'wrong.csv:4' '4s/.*/0,1,1,train/'
wrong "a missing pair" 'wrong.csv' '5d'
wrong "a number out of range" 'wrong.csv:3' '3s/^0,1,/0,13,/'
wrong "no number" 'wrong.csv:3' '3s/^0,1,/0,one,/'
wrong "no such part" 'wrong.csv:3.*train.*test' '3s/,[a-z]*$/,dev/'
wrong "no header" 'wrong.csv:1' '1d'
wrong "nothing to train on" 'wrong.csv' 's/,train$/,test/'
refuses "no such file" 3 "none.csv" split import none.csv --p 13
refuses "a file of another modulus" 2 "split.csv" split import split.csv --p 11

refuses "unknown verb suggests" 2 "did you mean 'export'" split exprt 1
refuses "import without a file" 2 "needs a file" split import
refuses "export without a split" 2 "needs a split" split export
refuses "make with a word" 2 "takes options only" split make add
refuses "p = 1" 2 'p = "1" .*from 2 to 1009' split make --p 1
refuses "p without sense" 2 'p = "x"' split make --p x
refuses "composite p with mul" 2 "prime" split make --op mul --p 12
refuses "composite p with div" 2 "prime" split make --op div --p 12
refuses "a fraction that leaves nothing to train on" 2 "train" split make --p 13 --train_fraction 0.001
refuses "fraction 0" 2 "train" split make --p 13 --train_fraction 0
refuses "a fraction over 1" 2 "from 0 to 1" split make --train_fraction 1.01
refuses "a fraction that is no number" 2 "train_fraction" split make --train_fraction nan
refuses "an unknown operation" 2 "." split make --op ad
refuses "a syntax error in an expression" 2 "column|position|at" split make --op 'x^^2' --p 13
refuses "an unknown generator suggests" 2 "philox" split make --split_generator phylox
same "bad input stored nothing" "$(query 'SELECT count(*) FROM split')" 2
finish
