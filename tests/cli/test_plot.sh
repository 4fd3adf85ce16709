#!/bin/sh
# plot and report: files, same bytes, refusals, and the page rewritten while a run trains.
. "$(dirname "$0")/tap.sh"
"$GROKLAB" train mlp --p 7 --width 8 --steps 12 --measure_every 4 --name net -q >/dev/null 2>&1
"$GROKLAB" train rfm --p 7 --steps 4 --measure_every 1 --name rfm -q >/dev/null 2>&1
"$GROKLAB" train mlp --p 7 --width 8 --steps 4 --split_seed 3 --name elsewhere -q >/dev/null 2>&1
"$GROKLAB" train mlp --p 11 --width 8 --steps 4 --name larger -q >/dev/null 2>&1

# Every kind in every format, twice: the same bytes.
for kind in "curves net" "matrix net@8 --nodiag" "matrix rfm --multiples 3 --block" "compare net rfm" "progress net rfm" \
    "spectrum net rfm" "grid net elsewhere --settings split_seed,weight_decay --value test_loss"; do
    bad=0
    for end in svg pdf png; do
        # shellcheck disable=SC2086 # the words of a command line
        for i in 1 2; do gk plot $kind -o "$i.$end" && [ "$status" -eq 0 ] || bad=1; done
        [ -s "1.$end" ] && cmp -s "1.$end" "2.$end" || bad=1
    done
    ok "plot $kind: svg, pdf, png, the same bytes twice" "$bad"
done
head -c 4 1.pdf | grep -q '%PDF' && head -c 8 1.png | grep -q PNG && head -c 5 1.svg | grep -q '<?xml'
ok "each in its format" $?
gk plot curves net -o a.svg
[ ! -s out ] && says "the file and its size are told on stderr" '^a\.svg: 85 x [0-9]+ mm$'

refuses "no kind" 2 'usage: groklab plot' plot
refuses "an unknown kind" 2 "'curvs' is no kind.*did you mean 'curves'" plot curvs net -o a.svg
refuses "no file" 2 'needs -o FILE' plot curves net
refuses "another format" 2 'ends in .svg, .pdf or .png' plot curves net -o a.jpeg
refuses "no run" 2 'takes 1 to' plot curves -o a.svg
refuses "an unknown run" 3 'nothere' plot curves nothere -o a.svg
refuses "an unknown metric" 3 "'tets_loss'; did you mean 'test_loss'" plot curves net -m tets_loss -o a.svg
refuses "a bad width" 2 '\-\-width 3: a number from 40 to 1000' plot curves net --width 3 -o a.svg
refuses "a width that is no number" 2 '\-\-width wide' plot curves net --width wide -o a.svg
refuses "a bad axis" 2 '\-\-x logg: log, linear, fraction, phase would do; did you mean .log' plot curves net --x logg -o a.svg
refuses "a kind of matrix that is not there" 3 'metric' plot matrix net --kind metric -o a.svg
refuses "nor several of it" 3 "no stored matrix of kind 'metric'" plot matrix net --kind metric --multiples 3 -o a.svg
refuses "a step that the run has not reached" 3 "'net' stands at epoch 12; there is no step 77777" plot matrix net@77777 -o a.svg
refuses "nor as one of several" 3 'there is no step 13' plot matrix net --steps 0,13 -o a.svg
refuses "nor to compare" 3 'there is no step 77777' plot compare net@77777 rfm -o a.svg
works "between stored steps the one before" plot matrix net@11 -o a.svg
says "which is said" 'net: for epoch 11 its sqrt_agop of 1*[0-9], the newest stored by then'
refuses "two words for one step" 2 'net@8 and --steps both say which step' plot matrix net@8 --steps 0,4 -o a.svg
for kind in curves progress spectrum grid; do
    refuses "$kind at one step" 2 "'net@8': plot $kind shows all steps of a run" plot $kind net@8 -o a.svg
done
refuses "bad steps" 2 '\-\-steps two' plot matrix net --steps two -o a.svg
refuses "an unknown source" 2 'features, embed or outputs' plot spectrum net --source weights -o a.svg
"$GROKLAB" train mlp --p 7 --width 8 --steps 2 --store final --measure_every 0 --checkpoint_every 0 --name bare -q >/dev/null 2>&1
"$GROKLAB" sql --write "DELETE FROM matrix WHERE run_id = (SELECT id FROM run WHERE name = 'bare')" >/dev/null 2>&1
refuses "a run that has stored nothing to transform" 3 'no spectra: no stored matrix' plot spectrum bare -o a.svg
refuses "a kernel machine has no embedding" 2 'a rfm has no embedding' plot spectrum rfm --source embed -o a.svg
refuses "different splits" 4 'do not share a split' plot compare net elsewhere -o a.svg
works "different splits on demand" plot compare net elsewhere --across-splits -o a.svg
refuses "one setting" 2 'two settings' plot grid --settings seed -o a.svg
refuses "settings that no run has" 3 'none of the finished runs has both' plot grid --settings seed,colour -o a.svg
refuses "nor the run that is named" 3 'none of these runs has both settings' plot grid rfm -o a.svg
refuses "different tasks in one grid" 2 'there are mlp add mod 7 and mlp add mod 11: name the runs' plot grid -o a.svg
works "different p on an axis" plot grid --settings p,seed --value test_loss --method mlp -o a.svg
refuses "a folder that is not there" 1 'cannot write no/where.svg' plot curves net -o no/where.svg

works "a page" report net rfm -o page.html
says "its size" '^page\.html: 0\.[0-9]+ MB$'
grep -q '"test_accuracy":{' page.html && grep -q "default-src 'none'" page.html
ok "with data, and a policy that forbids requests" $?
[ "$(grep -c 'src="\|href="http\|url(' page.html)" -eq 0 ]
ok "that needs nothing from elsewhere" $?
cp page.html first.html
works "again" report net rfm -o page.html
cmp -s page.html first.html
ok "the same bytes" $?
refuses "runs of different splits on one page" 4 'do not share a split' report net elsewhere
works "on demand" report net elsewhere --across-splits -o page.html
grep -q '"task":"add mod 7, several splits","split":null' page.html
ok "which does not name the first split as that of all" $?
refuses "runs of different p" 4 'one page shows one p' report net larger --across-splits
refuses "a page of nothing" 2 'usage: groklab report' report
refuses "a step" 2 'all steps' report net@4
refuses "a page nowhere" 1 'cannot write' report net -o no/where.html

# Following a run that has ended gives all its rows; on a terminal, sparklines.
works "follow" log net --follow
same "every evaluation is a row" "$(($(wc -l <out) - 1))" "$(query "SELECT count(*) FROM curves WHERE run = 'net'")"
says "and how the run ended" '^net: finished at epoch 12$'
mv out rows
gk sql --csv "SELECT * FROM curves WHERE run = 'net' ORDER BY step"
same "with the stored values" "$(sed 1d rows)" "$(sed 1d out | cut -d, -f3-)"
if command -v script >/dev/null; then
    script -qec "stty cols 140; '$GROKLAB' log net --follow" /dev/null >out 2>err </dev/null
    prints "sparklines of loss and accuracy on a terminal" 'epoch 12  loss [▁▂▃▄▅▆▇█ ]+ train .* acc [▁▂▃▄▅▆▇█ ]+ train'
    script -qec "stty cols 170; '$GROKLAB' train mlp --steps $((600 / ${SLOWER:-1})) --measure_every 0 --checkpoint_every 0 --name shown" /dev/null >out 2>err </dev/null
    prints "and on the line of progress" 'loss [▁▂▃▄▅▆▇█ ]+ acc [▁▂▃▄▅▆▇█ ]+'
else
    skip "sparklines on a terminal" "no script(1)"
fi

# --watch: rewritten while a run trains, an open page reads itself again; after the end once more, for good.
"$GROKLAB" train mlp --p 31 --width 256 --steps 1000000 --checkpoint_every 0 --name long -q >/dev/null 2>&1 &
training=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
    "$GROKLAB" show long >/dev/null 2>&1 && break
    sleep 0.3
done
"$GROKLAB" report long --watch --every 1 -o watched.html 2>watch &
watching=$!
sleep 3
grep -q '"refresh":1' watched.html
ok "the page of a running run reads itself again" $?
kill -TERM "$training"
wait "$training" 2>/dev/null
wait "$watching"
status=$?
ok "watching ends with the training" "$status"
[ "$(grep -c 'watched.html' watch)" -ge 2 ] && grep -q '"refresh":0' watched.html && grep -q '"status":"interrupted"' watched.html
ok "the last page is written after it" $?

finish
