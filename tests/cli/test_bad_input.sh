#!/bin/sh
# Bad values and bad databases: each has its message and its exit status, and what is stored stays as it was.
. "$(dirname "$0")/tap.sh"

refuses "no database yet" 3 "t.db" ls
[ ! -e t.db ]
ok "looking does not make one" $?

# ---- values ----
refuses "no number" 2 '^groklab train: --lr: lr = "fast" .*accepted: a number from 0' train mlp --lr fast
refuses "an integer with a tail" 2 'steps = "10x"' train mlp --steps 10x
refuses "a real for an integer" 2 'width = "1.5"' train mlp --width 1.5
refuses "out of range" 2 'beta1 = "1.5" .*from 0 to 0.99' train mlp --beta1 1.5
refuses "a negative value" 2 'lr = "-1"' train mlp --lr -1
refuses "too large for any integer" 2 'seed = "99999999999999999999"' train mlp --seed 99999999999999999999
refuses "NaN" 2 'weight_decay = "nan"' train mlp --weight_decay nan
refuses "a choice that is none" 2 'activation = "reluu" .*one of quadratic, relu' train mlp --activation reluu
refuses "an empty value" 2 'lr = ""' train mlp --lr=
refuses "a setting without its value" 2 "needs a value" train mlp --lr
refuses "an unknown setting suggests" 2 'did you mean "weight_decay"' train mlp --weight_dekay 1
refuses "a setting of another method" 2 'unknown key "kernel": it is a setting of rfm$' train mlp --kernel gaussian
refuses "of two others" 2 'unknown key "lr": it is a setting of mlp and transformer$' train rfm --lr 1
refuses "an unknown method suggests" 2 "did you mean 'transformer'" train transfromer
refuses "p = 1" 2 'p = "1" .*from 2 to 1009' train mlp --p 1
refuses "composite p with mul" 2 "prime" train mlp --p 12 --op mul
refuses "composite p with div" 2 "prime" train rfm --p 15 --op div
refuses "a fraction that leaves nothing to train on" 2 "train" train mlp --p 5 --train_fraction 0.01
refuses "heads that do not divide the width" 2 "n_heads|d_model" train transformer --p 5 --train_fraction 0.5 --d_model 30 --n_heads 4
refuses "no such split file" 3 "none.csv" train mlp --split_file none.csv
refuses "no such init file" 3 "none.safetensors" train mlp --p 5 --init_file none.safetensors
[ ! -e t.db ] || [ "$(query 'SELECT count(*) FROM run')" = 0 ]
ok "no run was made of all that" $?

# ---- databases ----
"$GROKLAB" train mlp --p 5 --width 8 --steps 3 -q >/dev/null

echo "this is no database at all, only some text that is long enough to be read as one" >text.db
refuses "a text file" 1 "text.db: is not a groklab database" ls --db text.db
refuses "training into a text file" 1 "text.db: is not a groklab database" train mlp --p 5 --steps 1 --db text.db
same "the text file is as it was" "$(wc -l <text.db)" 1
sqlite3 other.db "CREATE TABLE t(x)"
refuses "another's database" 1 "other.db: is an SQLite database, but not one of groklab's" train mlp --p 5 --steps 1 --db other.db
same "another's database is as it was" "$(sqlite3 other.db .tables)" t
: >empty.db
refuses "an empty file to read" 1 "empty.db" ls --db empty.db
mkdir folder
refuses "a folder" 1 "folder: is not a file" ls --db folder
cp t.db newer.db
sqlite3 newer.db "PRAGMA user_version = 99"
newer=$(sha256sum <newer.db)
refuses "a newer database" 5 "newer.db" ls --db newer.db
refuses "training into a newer database" 5 "newer.db" train mlp --p 5 --steps 1 --db newer.db
same "the newer database is as it was" "$(sha256sum <newer.db)" "$newer"
head -c 3000 t.db >cut.db
gk ls --db cut.db
[ "$status" -eq 1 ] && grep -q 'cut.db' err
ok "a cut database" $?
cp t.db hurt.db
sqlite3 hurt.db "UPDATE matrix SET data = zeroblob(length(data)) WHERE id = 1"
gk doctor --db hurt.db
[ "$status" -eq 1 ] && grep -q matrix out && grep -q '[0-9] problem' err
ok "doctor finds a blob that is not what it was" $?

# Read-only: as root every file can be written, so that the test steps down to nobody where it can.
chmod 755 "$dir"
mkdir closed && cp t.db closed/t.db && chmod 444 closed/t.db && chmod 555 closed
down=
[ "$(id -u)" -ne 0 ] || down="setpriv --reuid=65534 --regid=65534 --clear-groups"
if $down test -x "$GROKLAB" 2>/dev/null && ! $down test -w closed/t.db; then
    $down "$GROKLAB" train mlp --p 5 --steps 1 --db closed/t.db >out 2>err
    status=$?
    [ "$status" -eq 1 ] && grep -q 'closed/t.db' err && [ "$(wc -l <err)" -eq 1 ]
    ok "training into a read-only database" $?
    $down "$GROKLAB" ls --db closed/t.db >out 2>err
    status=$?
    ok "listing a read-only database" $status
    $down "$GROKLAB" compare 1 --db closed/t.db >out 2>err
    status=$?
    [ "$status" -eq 0 ] && grep -q 'not stored' err
    ok "comparing in a read-only database" $?
    $down "$GROKLAB" train mlp --p 5 --steps 1 --db closed/new/t.db >out 2>err
    status=$?
    [ "$status" -eq 1 ] && grep -q 'closed/new' err
    ok "a folder that cannot be made" $?
else
    skip "a read-only database" "cannot step down to another user"
fi
chmod 755 closed

# Locked by someone else for longer than GROKLAB_BUSY_MS.
{
    echo "BEGIN EXCLUSIVE;"
    echo "SELECT 'locked';"
    sleep 3
} | sqlite3 t.db >locked &
holder=$!
while [ ! -s locked ]; do sleep 0.05; done
gk train mlp --p 5 --width 8 --steps 1 -q
same "training into a locked database: status 5" "$status" 5
says "and the file is named" 't.db'
wait $holder
works "afterwards it is free" train mlp --p 5 --width 8 --steps 3 -q --name again
refuses "an ambiguous start of a uid or no such run" 3 "." show abcdefabcdef
GROKLAB_BUSY_MS=soon
export GROKLAB_BUSY_MS
refuses "a busy time without sense" 2 "GROKLAB_BUSY_MS is 'soon'" ls
GROKLAB_ISA=avx
export GROKLAB_ISA
refuses "an instruction set that there is not" 2 "GROKLAB_ISA is 'avx'; base, v3, v4 and amx are accepted" ls
finish
