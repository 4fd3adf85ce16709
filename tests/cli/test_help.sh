#!/bin/sh
# Help, manual page, completion, suggestions and exit codes: all from the one table of commands.
. "$(dirname "$0")/tap.sh"

works "version" --version
prints "version is one line" '^groklab [0-9]+\.[0-9]+\.[0-9]+$'
works "help" help
prints "help lists commands" '^  compare +puts'
works "--help" --help
prints "--help is help" '^usage: groklab'
gk
[ "$status" -eq 2 ] && [ ! -s out ] && grep -q '^usage: groklab' err
ok "no command: usage on stderr, status 2" $?

for command in $("$GROKLAB" help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    gk help "$command"
    [ "$status" -eq 0 ] && grep -q "^usage: groklab $command" out && [ ! -s err ]
    ok "help $command" $?
    cp out by_help
    gk "$command" --help
    cmp -s out by_help
    ok "$command --help says the same" $?
done
prints "the last help has options" '^ +-h, --help'

works "help --keys" help --keys
prints "keys have ranges and defaults" '^  p +modulus.*integer, 2 to 1009; default 61'
works "help --man" help --man
prints "manual page names commands" '^\.SS compare RUN'
prints "manual page has settings" '^\.B train_fraction'
if command -v groff >/dev/null; then
    groff -man -Tascii -ww out 2>warnings >/dev/null
    [ ! -s warnings ]
    ok "groff has nothing against the manual page" $?
else
    skip "groff has nothing against the manual page" "no groff here"
fi
works "help --completion" help --completion
if command -v bash >/dev/null; then
    mkdir bin && ln -s "$GROKLAB" bin/groklab
    complete_words() { PATH="$dir/bin:$PATH" bash -c '. ./out; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _groklab; echo "${COMPREPLY[*]}"' - "$@"; }
    same "completes commands" "$(complete_words groklab com)" "compare"
    same "completes options" "$(complete_words groklab ls --js)" "--json"
    same "completes settings" "$(complete_words groklab train --train_f)" "--train_fraction"
    same "completes methods" "$(complete_words groklab train tr)" "transformer"
    same "completes runs" "$(complete_words groklab show @la)" "@last"
fi

refuses "unknown command suggests" 2 "unknown command 'trian'; did you mean 'train'\?" trian
refuses "hopeless command" 2 "unknown command 'zzzzzzzz'" zzzzzzzz
refuses "help of an unknown command" 2 "did you mean 'split'" help splt
refuses "unknown option suggests" 2 "unknown option --jsn; did you mean --json\?" ls --jsn
refuses "unknown option before the command" 2 "did you mean --version" --verson
refuses "unknown letter" 2 "unknown option -z" ls -z
refuses "a flag with a value" 2 "--json takes no value" ls --json=1
refuses "an option without its value" 2 "--method needs a value" ls --method
refuses "--db without a value" 2 "--db needs a value" --db
refuses "json and csv" 2 "exclude each other" ls --json --csv
refuses "too few words" 2 "usage: groklab diff RUN RUN" diff 1
refuses "too many words" 2 "usage: groklab show RUN" show 1 2
if [ -w /dev/full ]; then
    "$GROKLAB" help >/dev/full 2>err
    status=$?
    [ "$status" -eq 1 ] && grep -q 'cannot write to standard output' err
    ok "a full disk under stdout is an error" $?
fi
finish
